"""The folder a model server polls: numbered versions, read and added to without a half-way state.

Layout as TensorFlow Serving expects it: `<folder>/<version>/saved_model.pb`. A new version is
copied to a hidden folder beside its place, flushed to disk and then renamed; a model server that
looks at any moment sees whole versions only.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from darkroom.storage.errors import ServingPlaceError
from darkroom.storage.fingerprint import model_digest
from darkroom.storage.locks import locked
from darkroom.storage.whole_files import place_folder, replace_text
from darkroom.storage.withdrawn import NOTES, withdrawn_number

_PARTIAL_SUFFIX = ".partial"
_LOCK = ".push.lock"


@dataclass(frozen=True)
class ServedVersion:
    """A version that is in place; `path` is a folder of this machine, or a URI."""

    version: int
    path: Path | str


def newest_version(folder: Path) -> ServedVersion | None:
    """The newest version that holds a SavedModel, or None."""
    versions = [
        ServedVersion(int(child.name), child)
        for child in (folder.iterdir() if folder.is_dir() else ())
        if child.name.isdecimal() and _holds_model(child)
    ]
    return max(versions, key=lambda served: served.version, default=None)


def withdrawn_versions(folder: Path) -> dict[str, int]:
    """Digest to number of the versions that were withdrawn; see `darkroom.storage.withdrawn`.

    Notes the digests of those withdrawn since the last time, and forgets those put back.

    Raises:
        ServingPlaceError: A digest cannot be noted.
    """
    notes = folder / NOTES
    with _written(folder):
        for child in folder.iterdir() if folder.is_dir() else ():
            version = withdrawn_number(child.name)
            if version and _holds_model(child) and not (notes / str(version)).exists():
                notes.mkdir(exist_ok=True)
                replace_text(notes / str(version), f"{model_digest(child)}\n")
        found = _notes(folder)
        for note in found:
            if _holds_model(folder / note.name):
                note.unlink()
        return {note.read_text().strip(): int(note.name) for note in found if note.exists()}


def add_version(folder: Path, model: Path, prepare: Callable[[Path], None]) -> ServedVersion:
    """Puts a copy of a model into place under a new version number.

    The number is the time in seconds since 1970, as TFX's Pusher numbers versions, or one more
    than the newest, withdrawn ones included, where that is not later: numbers grow even after the
    folder was emptied.

    Args:
        folder: The serving folder; made where it does not exist.
        model: The SavedModel to copy.
        prepare: Called with the copy before it becomes visible.

    Returns:
        The new version.

    Raises:
        ServingPlaceError: The folder cannot be written to.
    """
    with _written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / _LOCK):
            return _add_version(folder, model, prepare)


@contextlib.contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServingPlaceError(
            f"push.destination: cannot write to {str(folder)!r} ({error.strerror}): "
            "make room or give a folder that can be written to"
        ) from error


def _add_version(folder: Path, model: Path, prepare: Callable[[Path], None]) -> ServedVersion:
    _remove_partial_copies(folder)
    version = max(int(time.time()), *(number + 1 for number in _taken(folder)), 1)
    partial = folder / f".{version}{_PARTIAL_SUFFIX}"
    try:
        shutil.copytree(model, partial)
        prepare(partial)
        place_folder(partial, folder / str(version))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return ServedVersion(version, folder / str(version))


def _taken(folder: Path) -> list[int]:
    names = [child.name for child in (*folder.iterdir(), *_notes(folder))]
    numbers = (int(name) if name.isdecimal() else withdrawn_number(name) for name in names)
    return [number for number in numbers if number]


def _notes(folder: Path) -> list[Path]:
    return [note for note in (folder / NOTES).glob("*") if note.name.isdecimal()]


def _holds_model(version: Path) -> bool:
    return (version / "saved_model.pb").is_file()


def _remove_partial_copies(folder: Path) -> None:
    """Removes what a killed push left behind; the lock says that no other push is going on."""
    for partial in folder.glob(f".*{_PARTIAL_SUFFIX}"):
        shutil.rmtree(partial)
