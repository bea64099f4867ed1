"""What a copy of a folder has put into place, kept in a file that a kill cannot spoil."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from darkroom.storage.object_store.store import StoredObject
from darkroom.storage.whole_files import replace_text


class _Entry(NamedTuple):
    size: int
    tag: str
    modified: int


class Journal:
    """The files of a copy, and which state of which object each one is.

    A line is written before its file is renamed into place, and says when that file was modified:
    where a kill came between the two, the file found there is not the one in the journal.

    Args:
        path: The journal; made where it does not exist.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = folder
        self._lock = threading.Lock()
        self._entries = _read(path)

    @property
    def names(self) -> set[str]:
        """Files that were put into place, or were about to be."""
        return set(self._entries)

    def holds(self, wanted: StoredObject) -> bool:
        """Whether the copy has this very state of an object."""
        entry = self._entries.get(wanted.name)
        if not entry or (entry.size, entry.tag) != (wanted.size, wanted.tag):
            return False
        try:
            found = (self._folder / wanted.name).stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (entry.size, entry.modified)

    def keep(self, names: set[str]) -> None:
        """Forgets all others, and the end of a line that a kill cut off."""
        self._entries = {name: self._entries[name] for name in self._entries if name in names}
        lines = (_line(name, entry) for name, entry in self._entries.items())
        replace_text(self._path, "".join(lines))

    def add(self, stored: StoredObject, modified: int) -> None:
        """Notes what is about to be renamed into place, `modified` in nanoseconds since 1970."""
        entry = _Entry(stored.size, stored.tag, modified)
        with self._lock, self._path.open("a") as file:
            file.write(_line(stored.name, entry))


def _line(name: str, entry: _Entry) -> str:
    return json.dumps([name, *entry]) + "\n"


def _read(path: Path) -> Mapping[str, _Entry]:
    """Entries of whole lines; what is lost with a damaged one is copied again."""
    entries: dict[str, _Entry] = {}
    if path.exists():
        for line in path.read_text(errors="replace").splitlines(keepends=True):
            match _parse(line):
                case [str(name), int(size), str(tag), int(modified)]:
                    entries[name] = _Entry(size, tag, modified)
    return entries


def _parse(line: str) -> Any:
    try:
        return json.loads(line) if line.endswith("\n") else None
    except ValueError:
        return None
