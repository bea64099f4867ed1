"""The recipe's `data` section."""

import re
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    model_validator,
)

from darkroom.components.image_example_gen.sources import SOURCES
from darkroom.storage.object_store.location import checked_uri, is_uri
from darkroom.transform.features import IMAGE_XF, LABEL_XF, RESERVED

_FEATURE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TAKEN: Final = RESERVED | {IMAGE_XF, LABEL_XF}


def _read_path(value: Any) -> Path | str:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} does not do: give a folder, or a URI of an object store")
    return checked_uri(value) if is_uri(value) else Path(value)


def _check_format(name: str) -> str:
    if name not in SOURCES:
        known = " or ".join(map(repr, SOURCES))
        raise ValueError(f"{name!r} does not do: input should be {known}")
    return name


class DataConfig(BaseModel):
    """Where the images and their labels are, and how they are split.

    Args:
        path: The data folder: one of this machine, or a URI such as s3://bucket/folder (gs://,
            minio://), which is copied to the folder that DARKROOM_SCRATCH names, else among the
            temporary files. Image paths are relative to it and may not leave it.
        format: `csv` reads `csv_file`, one image a row. `folders` takes one folder per class:
            its name is the label, every file in it, at any depth, is a row. Hidden files,
            Thumbs.db, desktop.ini and files beside the class folders are passed over, and linked
            folders below a class folder are not entered.
        csv_file: The CSV, relative to `path`: UTF-8, commas, with a header.
        image_column: Column with the image's path.
        label_column: Column with the label. Labels are stripped of outer white space and
            brought to Unicode's composed form, so that equal-looking names are one class.
        group_column: Column whose rows of equal value go to the same split (a patient, a
            camera). Without it, or where its cell is empty, the image's content decides, so
            that identical images never straddle.
        metadata_columns: Columns to carry along as string features, to slice metrics by.
        eval_fraction: Share of the rows that goes to the eval split, in expectation: each row is
            placed by a hash, so that it stays where it is when others come or go.
        split_salt: Changing it draws another split.
        min_class_images: A class with fewer images is refused. 1 turns the check off.
        max_quarantined: Share of unusable rows above which DataGate stops the run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[Path | str, PlainValidator(_read_path)]
    format: Annotated[str, AfterValidator(_check_format)] = "csv"
    csv_file: str = "labels.csv"
    image_column: str = "image_path"
    label_column: str = "label"
    group_column: str | None = None
    metadata_columns: tuple[str, ...] = ()
    eval_fraction: float = Field(default=0.2, gt=0, lt=1)
    split_salt: str = ""
    min_class_images: int = Field(default=2, ge=1)
    max_quarantined: float = Field(default=0.05, ge=0, le=1)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that the CSV must have, each once."""
        group = () if self.group_column is None else (self.group_column,)
        wanted = (self.image_column, self.label_column, *group, *self.metadata_columns)
        return tuple(dict.fromkeys(wanted))

    def ingest_json(self) -> str:
        """All that ImageExampleGen depends on, as JSON: without the limit that DataGate checks."""
        return self.model_dump_json(exclude={"max_quarantined"})

    @model_validator(mode="after")
    def _check_metadata_columns(self) -> "DataConfig":
        for name in self.metadata_columns:
            if name in _TAKEN:
                raise ValueError(
                    f"metadata_columns: {name!r} is a feature of the pipeline; rename the column"
                )
            if not _FEATURE_NAME.fullmatch(name):
                raise ValueError(
                    f"metadata_columns: {name!r} should be a letter followed by letters, digits "
                    "and underscores; rename the column"
                )
            if self.metadata_columns.count(name) > 1:
                raise ValueError(f"metadata_columns: {name!r} is listed twice; list it once")
        return self

    @model_validator(mode="after")
    def _check_columns_fit_the_format(self) -> "DataConfig":
        if conflict := SOURCES[self.format].find_conflict(self):
            raise ValueError(conflict)
        if self.image_column == self.label_column:
            raise ValueError(
                f"image_column and label_column are both {self.label_column!r}; name two columns"
            )
        return self
