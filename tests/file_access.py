"""Which files and folders a piece of a test reads, by what Python itself reports."""

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

_EVENTS = ("open", "os.listdir", "os.scandir")
_watching: list[tuple[Path, Counter[str]]] = []


@contextlib.contextmanager
def counted_reads(folder: Path) -> Iterator[Counter[str]]:
    """Yields how often each file below a folder is opened, and each folder listed, by name."""
    _listen()
    counts: Counter[str] = Counter()
    _watching.append((folder, counts))
    try:
        yield counts
    finally:
        _watching.clear()


@cache
def _listen() -> None:
    sys.addaudithook(_note)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    for folder, counts in _watching if _EVENTS and event in _EVENTS else ():
        if isinstance(arguments[0], str | Path):
            path = Path(arguments[0])
            if path.is_relative_to(folder):
                counts[path.relative_to(folder).as_posix()] += 1
