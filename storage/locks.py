"""Locks between processes of one machine: files that one process at a time has."""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path


def is_locked(path: Path) -> bool:
    """Whether a process has the lock of a file; asked of the system, so that nobody is disturbed.

    Source: proc(5), `/proc/locks`.
    """
    try:
        inode = f":{path.stat().st_ino} "
    except FileNotFoundError:
        return False
    held = Path("/proc/locks").read_text().splitlines()
    return any(" FLOCK " in line and " -> " not in line and inode in line for line in held)


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
