"""What must hold before a run writes anything; looks at names and labels, not into images."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet, open_data
from darkroom.components.image_example_gen.errors import (
    DataClassesError,
    DataLocationError,
    list_some,
)
from darkroom.components.image_example_gen.labels import find_alike, find_several
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.components.image_example_gen.split import EVAL, SPLITS, TRAIN


class DataOverview(NamedTuple):
    """What can be known of a data set without a look into its images.

    Attributes:
        rows: Number of rows.
        images_by_label: Rows by label, in the order of the labels.
        notes: What somebody should know of how the data were read, a sentence each.
        given: Splits that the data give.
    """

    rows: int
    images_by_label: dict[str, int]
    notes: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()


@dataclass
class _Tally:
    """Rows, counted as they are listed.

    Attributes:
        least: Number of images from which on a class is large enough.
        first: The first row that is wanted.
        splits: Rows with a label by given split.
        images: Label to distinct paths, as long as they are fewer than `least`.
    """

    least: int
    rows: int = 0
    skipped: int = 0
    first: Row | None = None
    any_image: bool = False
    labels: Counter[tuple[str, str]] = field(default_factory=Counter)
    images: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, row: Row, data: DataSet) -> None:
        self.rows += 1
        if row.skipped:
            self.skipped += 1
            return
        self.first = self.first or row
        self.any_image = self.any_image or data.source.has_image(row)
        if row.label and not row.problem:
            self.labels[row.label, row.split] += 1
            if len(paths := self.images[row.label]) < self.least:
                paths.add(os.path.normpath(row.image_path))

    @property
    def by_label(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for (label, _), count in self.labels.items():
            found[label] += count
        return dict(sorted(found.items()))

    def labels_of(self, split: str) -> set[str]:
        return {label for label, given in self.labels if given == split}


def check(config: DataConfig) -> DataOverview:
    """Refuses data that no run could train on.

    Raises:
        DataLocationError: A folder, file or column is missing, a table cannot be read, or not
            one image is where the rows say.
        DataClassesError: There are no rows, fewer than two classes, a class has too few images to
            be split, labels are several in one, or the given splits do not fit each other.
    """
    data = open_data(config)
    tally = _Tally(config.min_class_images)
    for row in data.list_rows():
        tally.add(row, data)
    _check_classes(tally, data)
    if not tally.any_image and tally.first:
        raise DataLocationError(
            f"{data.source.image_field}: no image of {data.source.name!r} exists (first: "
            f"{tally.first.image_path!r}); {data.source.explain_missing(tally.first)}"
        )
    _check_class_sizes(tally, data)
    _check_labels(tally, data)
    _check_given_splits(tally)
    given = frozenset(split for _, split in tally.labels if split)
    return DataOverview(tally.rows, tally.by_label, tuple(_list_notes(tally, data)), given)


def _check_classes(tally: _Tally, data: DataSet) -> None:
    labels = list(tally.by_label)
    if tally.rows and len(labels) >= 2:
        return
    fault = f"only one class, {labels[0]!r}" if labels else "no classes"
    fault = fault if tally.rows else "no rows"
    source = data.source
    raise DataClassesError(
        f"{source.label_field}: {source.name!r} has {fault}; {source.class_remedy}"
    )


def _check_class_sizes(tally: _Tally, data: DataSet) -> None:
    sizes = {label: len(paths) for label, paths in sorted(tally.images.items())}
    small = [f"{label!r} {size}" for label, size in sizes.items() if size < tally.least]
    if small:
        raise DataClassesError(
            f"{data.source.label_field}: {len(small)} of {len(sizes)} classes "
            f"in {data.source.name!r} have fewer than {tally.least} images: {list_some(small)}; "
            "add images, remove those classes, or lower data.min_class_images"
        )


def _check_labels(tally: _Tally, data: DataSet) -> None:
    if several := find_several(tally.by_label):
        raise DataClassesError(
            f"{data.source.label_field}: {several!r} reads as several labels of one image, and a "
            "model here gives one; keep one label an image"
        )


def _check_given_splits(tally: _Tally) -> None:
    given = {split for _, split in tally.labels if split}
    if not given:
        return
    if TRAIN not in given:
        raise DataClassesError(
            f"data.split_column: there are rows of {list_some(map(repr, sorted(given)))}, and none "
            "of 'train'; call the split to train on so"
        )
    for split in given - {TRAIN}:
        if unknown := tally.labels_of(split) - tally.labels_of(TRAIN):
            raise DataClassesError(
                f"data.path: split {split!r} has classes that 'train' has not: "
                f"{list_some(map(repr, sorted(unknown)))}; correct the names, or leave them out by "
                "data.exclude"
            )


def _list_notes(tally: _Tally, data: DataSet) -> Iterable[str]:
    yield from data.source.list_notes()
    sizes: Counter[str] = Counter()
    for (_, split), count in tally.labels.items():
        sizes[split] += count
    given = [f"{sizes[split]} {split}" for split in SPLITS if sizes[split]]
    if given:
        drawn = "" if sizes[EVAL] else "; eval is drawn from train (data.eval_fraction)"
        yield f"the splits that the data give are kept: {', '.join(given)}{drawn}"
        for split in SPLITS[1:]:
            absent = sorted(tally.labels_of(TRAIN) - tally.labels_of(split))
            if sizes[split] and absent:
                named = list_some(map(repr, absent))
                yield f"not in split {split!r}, so not measured there: {named}"
    if tally.skipped:
        yield f"{tally.skipped} rows are skipped"
    for alike in find_alike(tally.by_label):
        counts = " and ".join(f"{label!r} ({tally.by_label[label]})" for label in alike)
        yield f"{counts} are taken as different classes; one may be meant"
