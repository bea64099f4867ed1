"""What must hold before a run writes anything; looks at names and labels, not into images."""

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.errors import DataClassesError, DataLocationError
from darkroom.components.image_example_gen.folder import DataFolder, open_folder
from darkroom.components.image_example_gen.rows import Row, list_rows, normalize_label

_NAMED: Final = 5


class DataOverview(NamedTuple):
    """Rows of the data set, and distinct image paths by label, in the order of the labels."""

    rows: int
    images_by_label: dict[str, int]


def check(config: DataConfig) -> DataOverview:
    """Refuses data that no run could train on.

    Raises:
        DataLocationError: A folder, file or column is missing, the CSV cannot be read, or not
            one image is where the rows say.
        DataClassesError: There are no rows, fewer than two classes, or a class has too few
            images to be split.
    """
    folder = open_folder(config)
    rows = list(list_rows(config, folder))
    paths: dict[str, set[str]] = {}
    if config.format == "folders":
        paths = {normalize_label(name): set() for name in folder.list_classes()}
    for row in rows:
        if row.label and not row.problem:
            paths.setdefault(row.label, set()).add(os.path.normpath(row.image_path))
    overview = DataOverview(len(rows), {label: len(paths[label]) for label in sorted(paths)})
    _check_classes(overview, config)
    _check_any_image(rows, config, folder)
    _check_class_sizes(overview, config)
    return overview


def _label_field(config: DataConfig) -> str:
    return "data.label_column" if config.format == "csv" else "data.path"


def _place(config: DataConfig) -> str:
    if config.format == "folders":
        return repr(str(config.path))
    return repr(f"{config.path}/{config.csv_file}")


def _check_classes(overview: DataOverview, config: DataConfig) -> None:
    labels = list(overview.images_by_label)
    if overview.rows and len(labels) >= 2:
        return
    fault = f"only one class, {labels[0]!r}" if labels else "no classes"
    fault = fault if overview.rows else "no rows"
    remedy = (
        "give at least two labels"
        if config.format == "csv"
        else "make one folder of images per class, at least two"
    )
    raise DataClassesError(f"{_label_field(config)}: {_place(config)} has {fault}; {remedy}")


def _check_any_image(rows: Sequence[Row], config: DataConfig, folder: DataFolder) -> None:
    if any(folder.has_image(row.image_path) for row in rows):
        return
    first = rows[0].image_path
    field = "data.image_column" if config.format == "csv" else "data.path"
    raise DataLocationError(
        f"{field}: no image of {_place(config)} exists (first: {first!r}); "
        f"paths should be relative to data.path, {str(config.path)!r}"
    )


def _check_class_sizes(overview: DataOverview, config: DataConfig) -> None:
    least = config.min_class_images
    small = [f"{label!r} {n}" for label, n in overview.images_by_label.items() if n < least]
    if small:
        named = ", ".join(small[:_NAMED]) + (", …" if len(small) > _NAMED else "")
        raise DataClassesError(
            f"{_label_field(config)}: {len(small)} of {len(overview.images_by_label)} classes in "
            f"{_place(config)} have fewer than {least} images: {named}; add images, remove those "
            "classes, or lower data.min_class_images"
        )
