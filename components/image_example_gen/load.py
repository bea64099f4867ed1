"""From a row to all that its example will hold: the one place where an image is read."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.sources import SOURCES
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.components.image_example_gen.split import Member, SplitPlan
from darkroom.transform.conversion import convert
from darkroom.transform.descriptors import Descriptors, describe
from darkroom.transform.rejection import Reason, RejectedError

_AHEAD: Final = 4 * (os.cpu_count() or 1)
"""Images that are read and decoded before they are asked for; each may take MAX_BYTES."""


@dataclass(frozen=True, slots=True)
class LoadedRow:
    """A usable row.

    Args:
        row: The row.
        content: The encoded image, as `darkroom.transform.conversion` leaves it.
        digest: SHA-256 of the image as stored.
        descriptors: By feature name.
        split: `train`, `eval` or `test`.
    """

    row: Row
    content: bytes
    digest: bytes
    descriptors: Descriptors
    split: str


def load_row(row: Row, root: Path, config: DataConfig, plan: SplitPlan) -> LoadedRow:
    """Reads, checks and describes a row's image.

    Args:
        row: The row.
        root: Real path of the data folder.
        config: The recipe's `data` section.
        plan: How rows are split that have no given split.

    Raises:
        RejectedError: The row cannot be used.
    """
    _check_text(row)
    stored = SOURCES[config.format].read_image(row, root)
    digest = hashlib.sha256(stored).digest()
    drawn = plan.draws(row.split)
    split = plan.choose(Member(row.label, row.group, digest)) if drawn else row.split
    content = convert(stored, config.read_truncated)
    return LoadedRow(row, content, digest, describe(content), split)


def load_rows(
    rows: Iterable[Row], root: Path, config: DataConfig, plan: SplitPlan, pool: Executor
) -> Iterator[tuple[Row, LoadedRow | RejectedError]]:
    """Each row, in the order given, with what `load_row` returned or raised.

    Args:
        rows: The rows; only a few more than were asked for are taken.
        root: Real path of the data folder.
        config: The recipe's `data` section.
        plan: How rows are split that have no given split.
        pool: Threads: Pillow and hashing leave the interpreter to others while they work.
    """

    def attempt(row: Row) -> tuple[Row, LoadedRow | RejectedError]:
        try:
            return row, load_row(row, root, config, plan)
        except RejectedError as rejection:
            return row, rejection

    waiting: deque[Future[tuple[Row, LoadedRow | RejectedError]]] = deque()
    for row in rows:
        waiting.append(pool.submit(attempt, row))
        if len(waiting) == _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _check_text(row: Row) -> None:
    if row.problem:
        raise RejectedError(Reason.MALFORMED_ROW, row.problem)
    if not row.label:
        raise RejectedError(Reason.EMPTY_LABEL, "the label is empty")
    if len(row.label.splitlines()) > 1:
        # A label vocabulary has one label a line.
        raise RejectedError(Reason.MALFORMED_ROW, "the label has a line break")
    try:
        f"{row.image_path}{row.label}".encode()
    except UnicodeEncodeError:
        raise RejectedError(Reason.UNREADABLE, "the file's name is not UTF-8") from None
