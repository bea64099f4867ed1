"""What must hold before a run writes anything; looks at names and labels, not into images."""

import os
from collections import defaultdict
from typing import Final, NamedTuple

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet, open_data
from darkroom.components.image_example_gen.errors import DataClassesError, DataLocationError

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
    data = open_data(config)
    rows, first, any_image = 0, "", False
    paths: dict[str, set[str]] = defaultdict(set)
    for row in data.list_rows():
        rows, first = rows + 1, first if rows else row.image_path
        any_image = any_image or data.source.has_image(row)
        if row.label and not row.problem:
            paths[row.label].add(os.path.normpath(row.image_path))
    labels = sorted({*paths, *data.source.list_classes()})
    overview = DataOverview(rows, {label: len(paths[label]) for label in labels})
    _check_classes(overview, data)
    if not any_image:
        raise DataLocationError(
            f"{data.source.image_field}: no image of {data.source.name!r} exists (first: "
            f"{first!r}); paths should be relative to data.path, {str(config.path)!r}"
        )
    _check_class_sizes(overview, data)
    return overview


def _check_classes(overview: DataOverview, data: DataSet) -> None:
    labels = list(overview.images_by_label)
    if overview.rows and len(labels) >= 2:
        return
    fault = f"only one class, {labels[0]!r}" if labels else "no classes"
    fault = fault if overview.rows else "no rows"
    source = data.source
    raise DataClassesError(
        f"{source.label_field}: {source.name!r} has {fault}; {source.class_remedy}"
    )


def _check_class_sizes(overview: DataOverview, data: DataSet) -> None:
    least = data.config.min_class_images
    small = [f"{label!r} {n}" for label, n in overview.images_by_label.items() if n < least]
    if small:
        named = ", ".join(small[:_NAMED]) + (", …" if len(small) > _NAMED else "")
        raise DataClassesError(
            f"{data.source.label_field}: {len(small)} of {len(overview.images_by_label)} classes "
            f"in {data.source.name!r} have fewer than {least} images: {named}; add images, remove "
            "those classes, or lower data.min_class_images"
        )
