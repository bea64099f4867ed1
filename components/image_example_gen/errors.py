"""Errors of the ingest; each message is one line that names field, value and remedy.

ComponentError
└── DataError
    ├── DataLocationError
    └── DataClassesError
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from darkroom.components.errors import ComponentError

_LISTED: Final = 5


class DataError(ComponentError):
    """The data as a whole cannot be used."""


class DataLocationError(DataError):
    """A folder, file, column or encoding is not what the recipe says."""


class DataClassesError(DataError):
    """The labels do not make a classification task."""


def list_some(words: Iterable[str]) -> str:
    """The first of some words, for a message."""
    listed = list(words)
    return ", ".join(listed[:_LISTED]) + (", …" if len(listed) > _LISTED else "")


def missing_file(name: str, folder: Path | str, field: str) -> DataLocationError:
    """The error that a file of rows is not in the data folder.

    Args:
        name: Relative to the data folder.
        folder: The data folder.
        field: The recipe's field that names the file.
    """
    return DataLocationError(
        f"{field}: {name!r} does not exist in {str(folder)!r}; name the file in {field}, "
        "or set data.format: folders"
    )
