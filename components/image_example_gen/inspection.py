"""Every row looked at as the ingest looks at it, and nothing written: what a run would find."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import open_data
from darkroom.components.image_example_gen.labels import find_alike
from darkroom.components.image_example_gen.load import LoadedRow, load_row
from darkroom.components.image_example_gen.quarantine import (
    SKIPPED,
    IngestSummary,
    RejectedRow,
    summarize,
)
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.components.image_example_gen.split import EVAL, TRAIN, SplitPlan
from darkroom.components.image_example_gen.split_planning import plan_data
from darkroom.transform.decoding import has_wide_grey
from darkroom.transform.features import MEAN
from darkroom.transform.rejection import RejectedError

FEW_IMAGES: Final = 10
"""A class with fewer images in its train split is named."""
_CHUNK: Final = 256
_DARK: Final = 16
"""Mean grey level, of 255, that twelve bits of sixteen cannot exceed."""


class _Looked(NamedTuple):
    """What is kept of an image that was looked at; see `Inspection`."""

    split: str
    digest: bytes
    dark: bool


@dataclass(frozen=True)
class Finding:
    """Something in the data that a run would take as it is.

    Attributes:
        code: What kind.
        message: One line for people.
        paths: Images that it is about; of a class, none.
    """

    code: str
    message: str
    paths: tuple[str, ...] = ()


@dataclass
class Inspection:
    """What is in a data set.

    Attributes:
        classes: Label to split to number of examples.
        splits: The splits that there are.
        rejected: Rows that become no examples.
        skipped: Number of rows that the recipe does not want.
        labels: Digest of an image to the label and path of each row that has its very bytes.
        dark: Paths of greys of 16 bits that are nearly black in the upper 8.
    """

    classes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    splits: list[str] = field(default_factory=lambda: [TRAIN, EVAL])
    rejected: list[RejectedRow] = field(default_factory=list)
    skipped: int = 0
    labels: dict[bytes, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    dark: list[str] = field(default_factory=list)

    def summary(self) -> IngestSummary:
        """The counts, as the ingest of a run has them."""
        counts = Counter((row.label, row.reason) for row in self.rejected)
        counts.update({("", split): 0 for split in self.splits} | {("", SKIPPED): self.skipped})
        for label, splits in self.classes.items():
            counts.update({(label, split): number for split, number in splits.items()})
        return summarize(counts)

    def find(self, max_quarantined: float) -> list[Finding]:
        """What somebody should know before the training.

        Args:
            max_quarantined: Share of unusable rows that is taken for usual.
        """
        return [
            *self._find_repeats(),
            *self._find_lone_spellings(),
            *self._find_small_classes(),
            *self._find_losses(max_quarantined),
            *self._find_dark(),
        ]

    def _find_repeats(self) -> Iterator[Finding]:
        repeated = [rows for rows in self.labels.values() if len(rows) > 1]
        conflicting = [rows for rows in repeated if len({label for label, _ in rows}) > 1]
        if repeated:
            paths = tuple(path for rows in repeated for _, path in rows)
            yield Finding("duplicate", f"{_count(len(repeated))} there more than once", paths)
        for rows in conflicting:
            labels = " and ".join(repr(label) for label in sorted({label for label, _ in rows}))
            paths = tuple(path for _, path in rows)
            yield Finding("conflicting_labels", f"one image is labelled {labels}", paths)

    def _find_lone_spellings(self) -> Iterator[Finding]:
        for labels in find_alike(self.classes):
            names = " and ".join(map(repr, labels))
            yield Finding("label_spelling", f"{names} are different classes; one may be meant")

    def _find_small_classes(self) -> Iterator[Finding]:
        for label, splits in sorted(self.classes.items()):
            missing = [split for split in self.splits if not splits[split]]
            if missing:
                yield Finding("missing_from_split", f"{label!r} has no image in {missing[0]}")
            elif splits[TRAIN] < FEW_IMAGES:
                yield Finding("few_images", f"{label!r} has only {splits[TRAIN]} to train on")

    def _find_losses(self, usual: float) -> Iterator[Finding]:
        losses = Counter(row.label for row in self.rejected)
        for label, lost in sorted(losses.items()):
            total = lost + self.classes[label].total() if label in self.classes else lost
            if label and lost > usual * total:
                message = f"{label!r} loses {lost} of {total} images; see what is rejected"
                yield Finding("lossy_class", message)

    def _find_dark(self) -> Iterator[Finding]:
        if self.dark:
            yield Finding(
                "dark_16_bit",
                f"{_count(len(self.dark))} of 16 bits and nearly black; "
                "transform.stretch_16_bit: true stretches such",
                tuple(self.dark),
            )


def inspect(config: DataConfig, report: Callable[[int], None] = lambda done: None) -> Inspection:
    """Reads, decodes and describes every image, several at a time.

    Args:
        config: The recipe's `data` section.
        report: Called now and then with the number of rows done.

    Raises:
        DataLocationError: The data cannot be read.
    """
    data = open_data(config)
    found = Inspection()
    done = 0
    with data.on_disk() as local, ThreadPoolExecutor(os.cpu_count()) as pool:
        plan, found.splits = plan_data(open_data(local))
        for rows in _chunks(data.list_rows()):
            wanted = [row for row in rows if not row.skipped]
            found.skipped += len(rows) - len(wanted)
            loaded = pool.map(partial(_load, config=local, plan=plan), wanted)
            for row, result in zip(wanted, loaded, strict=True):
                _add(found, row, result)
            done += len(rows)
            report(done)
    return found


def _count(images: int) -> str:
    return "1 image is" if images == 1 else f"{images} images are"


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk


def _load(row: Row, config: DataConfig, plan: SplitPlan) -> _Looked | RejectedError:
    """What is kept of a row's image; its bytes are let go of at once."""
    try:
        loaded: LoadedRow = load_row(row, Path(config.path).resolve(), config, plan)
    except RejectedError as rejection:
        return rejection
    dark = has_wide_grey(loaded.content) and loaded.descriptors[MEAN] < _DARK
    return _Looked(loaded.split, loaded.digest, dark)


def _add(found: Inspection, row: Row, loaded: _Looked | RejectedError) -> None:
    if isinstance(loaded, RejectedError):
        found.rejected.append(
            RejectedRow(
                row=row.number,
                image_path=row.image_path,
                label=row.label,
                reason=loaded.reason.value,
                detail=loaded.detail,
            )
        )
        return
    found.classes[row.label][loaded.split] += 1
    found.labels[loaded.digest].append((row.label, row.image_path))
    if loaded.dark:
        found.dark.append(row.image_path)
