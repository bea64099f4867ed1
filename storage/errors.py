"""Errors of the storage room; each message is one line that a user can act on."""


class StorageError(Exception):
    """Base of all errors that a place to keep things gives rise to."""
