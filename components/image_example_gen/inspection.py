"""Every row looked at as the ingest looks at it, and nothing written: what a run would find."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import open_data
from darkroom.components.image_example_gen.load import LoadedRow, load_row
from darkroom.components.image_example_gen.quarantine import (
    IngestSummary,
    RejectedRow,
    summarize,
)
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.components.image_example_gen.split import SPLITS
from darkroom.transform.rejection import RejectedError

FEW_IMAGES: Final = 10
"""A class with fewer images in its train split is named."""
_CHUNK: Final = 256


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
        rejected: Rows that become no examples.
        losses: Label to number of rows that become no examples.
        labels: Digest of an image to the label and path of each row that has its very bytes.
    """

    classes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    rejected: list[RejectedRow] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)
    labels: dict[bytes, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    def summary(self) -> IngestSummary:
        """The counts, as the ingest of a run has them."""
        counts: Counter[str] = Counter(row.reason for row in self.rejected)
        for splits in self.classes.values():
            counts += splits
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
        spellings = defaultdict(list)
        for label in self.classes:
            spellings[label.casefold()].append(label)
        for labels in spellings.values():
            if len(labels) > 1:
                names = " and ".join(repr(label) for label in sorted(labels))
                yield Finding("label_spelling", f"{names} are two classes; one may be meant")

    def _find_small_classes(self) -> Iterator[Finding]:
        for label, splits in sorted(self.classes.items()):
            missing = [split for split in SPLITS if not splits[split]]
            if missing:
                yield Finding("missing_from_split", f"{label!r} has no image in {missing[0]}")
            elif splits["train"] < FEW_IMAGES:
                yield Finding("few_images", f"{label!r} has only {splits['train']} to train on")

    def _find_losses(self, usual: float) -> Iterator[Finding]:
        for label, lost in sorted(self.losses.items()):
            total = lost + self.classes[label].total() if label in self.classes else lost
            if label and lost > usual * total:
                message = f"{label!r} loses {lost} of {total} images; see what is rejected"
                yield Finding("lossy_class", message)


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
        root = Path(local.path).resolve()
        for rows in _chunks(data.list_rows()):
            loaded = pool.map(lambda row: _load(row, root, local), rows)
            for row, result in zip(rows, loaded, strict=True):
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


def _load(row: Row, root: Path, config: DataConfig) -> tuple[str, bytes] | RejectedError:
    """Split and digest of a row's image; its bytes are let go of at once."""
    try:
        loaded: LoadedRow = load_row(row, root, config)
    except RejectedError as rejection:
        return rejection
    return loaded.split, loaded.digest


def _add(found: Inspection, row: Row, loaded: tuple[str, bytes] | RejectedError) -> None:
    if isinstance(loaded, RejectedError):
        found.losses[row.label] += 1
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
    split, digest = loaded
    found.classes[row.label][split] += 1
    found.labels[digest].append((row.label, row.image_path))
