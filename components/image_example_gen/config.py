"""The recipe's `data` section."""

import codecs
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

from darkroom.components.image_example_gen.selection import Selection
from darkroom.components.image_example_gen.sources import SOURCES
from darkroom.components.image_example_gen.split import SPLITS, TRAIN
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


def _check_delimiter(text: str) -> str:
    if len(text) > 1 or text in ("\r", "\n", '"'):
        raise ValueError(f"{text!r} does not do: give one character, such as ';' or \"\\t\"")
    return text


def _check_encoding(name: str) -> str:
    try:
        codecs.lookup(name or "utf-8")
    except LookupError:
        raise ValueError(f"{name!r} is no encoding that Python knows, such as cp1252") from None
    return name


def _check_pattern(pattern: str) -> str:
    try:
        names = re.compile(pattern).groupindex.keys()
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    if pattern and not {"label"} <= names <= {"label", "split", "group"}:
        raise ValueError(
            f"{pattern!r} should have the group (?P<label>…), and may have split and group"
        )
    return pattern


def _check_format(name: str) -> str:
    if name not in SOURCES:
        known = " or ".join(map(repr, SOURCES))
        raise ValueError(f"{name!r} does not do: input should be {known}")
    return name


class DataConfig(BaseModel):
    """Where the images and their labels are, and how they are split.

    Args:
        path: The data folder: one of this machine, or an archive of one (.zip, .tar, .tar.gz, …),
            which is unpacked among the temporary files, or a URI such as s3://bucket/folder (gs://,
            minio://), which is copied to the folder that DARKROOM_SCRATCH names, else among the
            temporary files. Image paths are relative to it and may not leave it.
        format: `folders`: one folder per class, whose name is the label; every file in it, at any
            depth, is a row. Folders called `train`, `val` and `test` above them, or below them,
            are given splits. Hidden files, Thumbs.db and the like, side-cars (.json, .xml, .txt,
            …) and files beside the class folders are passed over, and linked folders below a
            class folder are not entered. `csv`, `jsonl` and `parquet` read a table, one image a
            row. `tfrecord` reads files of tf.Example, whose features the columns
            name, and `webdataset` tar files of images with a `.cls` or `.json` beside each.
        csv_file: The CSV, relative to `path`, with a header; `.gz` is unpacked.
        jsonl_file: Likewise, a file of JSON Lines.
        parquet_file: Likewise, a Parquet file.
        split_files: Several tables instead of one: split (train, eval, test) to file.
        delimiter: Of the CSV; empty: the one that makes the columns which are asked for.
        encoding: Of the CSV, such as cp1252; empty: UTF-8, or UTF-16 where it begins with its mark.
        path_pattern: A regular expression that takes apart the whole path of an image, for
            `folders`: the groups `label`, `split` and `group` say what they are called.
        include: Shell patterns of paths, such as `*.jpg`; only these are taken. `*` spans folders.
        exclude: Likewise; these are left out.
        newest_spans: Of folders `span-1`, `span-2`, …, how many are taken, those with the highest
            numbers first; 0: all.
        skip_unlabelled: Whether rows without a label are skipped. Else they are set aside as
            unusable, which stops the run where they are many.
        read_truncated: Whether a JPEG that ends too early is taken, with what is missing of it in
            grey. Else it is set aside as unusable.
        image_column: Column with the image's path. Backslashes, case, Unicode form and extension
            may differ from the file's where only one file can be meant.
        image_prefix: Put before each path in a table, such as `images/`.
        image_suffix: Put behind each path in a table, such as `.jpg`.
        label_column: Column with the label. Labels are stripped of outer white space and
            brought to Unicode's composed form, so that equal-looking names are one class.
        one_hot_columns: Columns, one a class, of which a row has 1 in one; instead of
            `label_column`.
        empty_labels: What means no label in a table, in any case.
        group_column: Column whose rows of equal value go to the same split (a patient, a
            camera). Without it, or where its cell is empty, the image's content decides, so
            that identical images never straddle.
        split_column: Column that says the split: train; val, valid, validation, dev or eval; test.
        metadata_columns: Columns to carry along as string features, to slice metrics by.
        eval_fraction: Share of the rows that goes to the eval split, in expectation: each row is
            placed by a hash, so that it stays where it is when others come or go. A class that
            would be missing from a split gets its nearest image there. Where the data give
            splits and no eval, it is drawn from train.
        test_fraction: Likewise, of the test split, by which the model is judged where there is
            one. 0: none is drawn.
        split_salt: Changing it draws another split.
        min_class_images: A class with fewer images is refused. 1 turns the check off.
        max_quarantined: Share of unusable rows above which DataGate stops the run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[Path | str, PlainValidator(_read_path)]
    format: Annotated[str, AfterValidator(_check_format)] = "csv"
    csv_file: str = "labels.csv"
    jsonl_file: str = "metadata.jsonl"
    parquet_file: str = "metadata.parquet"
    split_files: dict[str, str] = {}
    delimiter: Annotated[str, AfterValidator(_check_delimiter)] = ""
    encoding: Annotated[str, AfterValidator(_check_encoding)] = ""
    path_pattern: Annotated[str, AfterValidator(_check_pattern)] = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    newest_spans: int = Field(default=0, ge=0)
    skip_unlabelled: bool = False
    read_truncated: bool = False
    image_column: str = "image_path"
    image_prefix: str = ""
    image_suffix: str = ""
    label_column: str = "label"
    one_hot_columns: tuple[str, ...] = ()
    empty_labels: tuple[str, ...] = ("nan", "none", "null", "na", "n/a", "<na>", "#n/a")
    group_column: str | None = None
    split_column: str | None = None
    metadata_columns: tuple[str, ...] = ()
    eval_fraction: float = Field(default=0.2, gt=0, lt=1)
    test_fraction: float = Field(default=0.0, ge=0, lt=1)
    split_salt: str = ""
    min_class_images: int = Field(default=2, ge=1)
    max_quarantined: float = Field(default=0.05, ge=0, le=1)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that a table must have, each once."""
        labels = self.one_hot_columns or (self.label_column,)
        named = (self.image_column, *labels, self.group_column, self.split_column)
        wanted = (*(name for name in named if name), *self.metadata_columns)
        return tuple(dict.fromkeys(wanted))

    @property
    def selection(self) -> Selection:
        """Which files are wanted."""
        return Selection(self.include, self.exclude)

    def ingest_json(self) -> str:
        """All that ImageExampleGen depends on, as JSON: without the limit that DataGate checks."""
        return self.model_dump_json(exclude={"max_quarantined"})

    @model_validator(mode="after")
    def _check_splits(self) -> "DataConfig":
        if self.eval_fraction + self.test_fraction >= 1:
            raise ValueError(
                f"eval_fraction {self.eval_fraction} and test_fraction {self.test_fraction} leave "
                "nothing to train on; their sum should be below 1"
            )
        if self.split_files and not {TRAIN} <= self.split_files.keys() <= {*SPLITS}:
            raise ValueError(
                f"split_files names tables of {', '.join(map(repr, self.split_files))}; it should "
                "name those of 'train', and maybe of 'eval' and 'test'"
            )
        if self.split_files and self.split_column:
            raise ValueError("split_files and split_column both say the split; keep one")
        return self

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
