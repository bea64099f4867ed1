"""Full disks: which one it is, how much room it has, and what helps."""

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from darkroom.storage.object_store import is_uri

_FULL: Final = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    # SQLite's, which holds ML Metadata.
    "database or disk is full",
)
_MIB: Final = 1 << 20


class DiskFullError(Exception):
    """A disk is full; the message names it."""


@dataclass(frozen=True)
class Disk:
    """A folder that a run writes to.

    Attributes:
        name: What it is to the user, such as `runs_folder`.
        folder: Where it is; need not exist.
        remedy: How to have it elsewhere, such as `set TMPDIR to a larger disk`.
        named: Whether an error is about it only where it names the folder.
    """

    name: str
    folder: Path
    remedy: str
    named: bool = False


def list_disks(home: Path, destination: str) -> tuple[Disk, ...]:
    """The folders that a run writes to.

    Args:
        home: Of the pipeline's runs.
        destination: Where models are pushed to, a folder or a URI.
    """
    larger = "to a folder on a larger disk"
    disks = [Disk("runs_folder", home, f"set runs_folder {larger}")]
    if not is_uri(destination):
        folder = Path(destination)
        disks.append(Disk("push.destination", folder, f"set push.destination {larger}", named=True))
    temporary = Path(tempfile.gettempdir())
    return (*disks, Disk("temporary files", temporary, f"set TMPDIR {larger}"))


def explain_full_disk(error: BaseException, disks: Sequence[Disk]) -> str:
    """Names the disk that is full, in one line; empty where neither error nor cause says so."""
    for each in _chain(error):
        if isinstance(each, DiskFullError):
            return str(each)
    said = "\n".join(str(each) for each in _chain(error))
    meant = [disk for disk in disks if str(disk.folder) in said or not disk.named]
    if not meant or not any(words in said for words in _FULL):
        return ""
    # Few errors name the file. Both ends of a copy may be named; the fuller one was written to.
    full = min(meant, key=lambda disk: (str(disk.folder) not in said, _measure(disk.folder).free))
    return (
        f"{full.name}: no space left in {str(full.folder)!r} ({_measure(full.folder)}, which is "
        f"not enough); make room there, or {full.remedy}"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


@dataclass(frozen=True)
class _Room:
    """Bytes free, bytes in all, and whether another file may be made."""

    free: int
    size: int
    files: bool

    def __str__(self) -> str:
        if not self.files:
            return "no room for another file"
        return f"{self.free / _MIB:.1f} MB of {self.size / _MIB:.1f} MB free"


def _measure(folder: Path) -> _Room:
    there = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
    found = os.statvfs(there)
    # Some file systems count no files, and say 0 of 0.
    files = found.f_favail > 0 or found.f_files == 0
    free = found.f_bavail * found.f_frsize if files else 0
    return _Room(free, found.f_blocks * found.f_frsize, files)
