"""Errors of the storage room; each message is one line that a user can act on.

StorageError
├── ObjectStoreError
│   └── ObjectChangedError
├── ServingPlaceError
└── VersionError
"""


class StorageError(Exception):
    """Base of all errors that a place to keep things gives rise to."""


class ObjectStoreError(StorageError):
    """An object store cannot be used as asked; the message says why."""


class ObjectChangedError(ObjectStoreError):
    """An object is gone, or another than it was."""


class ServingPlaceError(StorageError):
    """The place of the served versions cannot be used; the message says why."""


class VersionError(StorageError):
    """The versions that there are do not allow what was asked for."""


def first_line(said: object) -> str:
    """First line of a text, or of what an error says; of nothing, the name of its type."""
    lines = str(said).strip().splitlines()
    return lines[0] if lines else type(said).__name__
