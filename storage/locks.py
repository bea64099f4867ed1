"""Locks between processes of one machine: files that one process at a time has."""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path, when_taken: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Has the lock of a file; it is given back with the context, or when the process ends.

    Args:
        path: The file; made where it does not exist, and left there.
        when_taken: Called before waiting for whoever has the lock; where it raises, nobody waits.

    Raises:
        OSError: The file cannot be made, or its file system knows no locks.
    """
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            when_taken()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
