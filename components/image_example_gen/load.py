"""From a row to all that its example will hold: the one place where an image is read."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.sources import SOURCES
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.components.image_example_gen.split import choose_split
from darkroom.transform.descriptors import Descriptors, describe
from darkroom.transform.rejection import Reason, RejectedError


@dataclass(frozen=True, slots=True)
class LoadedRow:
    """A usable row.

    Args:
        row: The row.
        content: The encoded image, as stored.
        digest: SHA-256 of `content`.
        descriptors: By feature name.
        split: `train` or `eval`.
    """

    row: Row
    content: bytes
    digest: bytes
    descriptors: Descriptors
    split: str


def load_row(row: Row, root: Path, config: DataConfig) -> LoadedRow:
    """Reads, checks and describes a row's image.

    Args:
        row: The row.
        root: Real path of the data folder.
        config: The recipe's `data` section.

    Raises:
        RejectedError: The row cannot be used.
    """
    _check_text(row)
    content = SOURCES[config.format].read_image(row, root)
    digest = hashlib.sha256(content).digest()
    split = choose_split(row.group, digest, config.eval_fraction, config.split_salt)
    return LoadedRow(row, content, digest, describe(content), split)


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
