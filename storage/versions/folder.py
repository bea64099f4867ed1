"""The folder a model server polls: numbered versions, read and added to without a half-way state.

Layout as TensorFlow Serving expects it: `<folder>/<version>/saved_model.pb`. A new version is
copied to a hidden folder beside its place, flushed to disk and then renamed; a model server that
looks at any moment sees whole versions only.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from darkroom.storage.errors import ServingPlaceError
from darkroom.storage.fingerprint import WARMUP_FOLDER, model_digest
from darkroom.storage.locks import locked
from darkroom.storage.versions.served import MODEL_FILE, Version, tell_states
from darkroom.storage.versions.withdrawn import NOTES, withdrawn_name, withdrawn_number
from darkroom.storage.whole_files import place_folder, replace_text

_LOCK: Final = ".push.lock"
_PARTIAL: Final = ".{}.partial"


class ServingFolder:
    """A `ServingPlace` on this machine, whose folder the first push makes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> Version | None:
        """See `ServingPlace`."""
        return next((each for each in self.versions() if each.state == "served"), None)

    def versions(self) -> list[Version]:
        """See `ServingPlace`."""
        models = (child.name for child in self._children() if _holds_model(child))
        return tell_states(self._folder.joinpath, models)

    def read(self, version: Version, name: str) -> bytes | None:
        """See `ServingPlace`."""
        path = Path(version.path) / name
        return path.read_bytes() if path.is_file() else None

    def withdraw(self, number: int) -> None:
        """See `ServingPlace`."""
        self._rename(str(number), withdrawn_name(number))

    def put_back(self, number: int) -> None:
        """See `ServingPlace`."""
        self._rename(withdrawn_name(number), str(number))
        with self._written():
            (self._folder / NOTES / str(number)).unlink(missing_ok=True)

    def remove(self, version: Version) -> None:
        """See `ServingPlace`; what a kill leaves of it the next push removes."""
        hidden = _PARTIAL.format(version.number)
        self._rename(Path(version.path).name, hidden)
        with self._written():
            shutil.rmtree(self._folder / hidden)

    def digest(self, version: Version) -> str:
        """See `ServingPlace`."""
        return model_digest(Path(version.path))

    def copy(self, version: Version, target: Path) -> None:
        """See `ServingPlace`."""
        shutil.copytree(version.path, target, ignore=shutil.ignore_patterns(WARMUP_FOLDER))

    def withdrawn(self) -> dict[str, int]:
        """See `ServingPlace`."""
        notes = self._folder / NOTES
        with self._written():
            for child in self._children():
                version = withdrawn_number(child.name)
                if version and _holds_model(child) and not (notes / str(version)).exists():
                    notes.mkdir(exist_ok=True)
                    replace_text(notes / str(version), f"{model_digest(child)}\n")
            found = self._notes()
            for note in found:
                if _holds_model(self._folder / note.name):
                    note.unlink()
            return {note.read_text().strip(): int(note.name) for note in found if note.exists()}

    def add(self, model: Path, prepare: Callable[[Path], None]) -> Version:
        """See `ServingPlace`."""
        with self._written():
            self._folder.mkdir(parents=True, exist_ok=True)
            with locked(self._folder / _LOCK):
                # What a killed push left behind; the lock says that no other one is going on.
                for partial in self._folder.glob(_PARTIAL.format("*")):
                    shutil.rmtree(partial)
                return self._add(model, prepare)

    def _add(self, model: Path, prepare: Callable[[Path], None]) -> Version:
        version = max(int(time.time()), *(number + 1 for number in self._taken()), 1)
        partial = self._folder / _PARTIAL.format(version)
        place = self._folder / str(version)
        try:
            shutil.copytree(model, partial)
            prepare(partial)
            place_folder(partial, place)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return Version(version, "served", place)

    def _rename(self, name: str, target: str) -> None:
        with self._written(), locked(self._folder / _LOCK), contextlib.suppress(FileNotFoundError):
            (self._folder / name).rename(self._folder / target)

    def _taken(self) -> list[int]:
        names = [child.name for child in (*self._children(), *self._notes())]
        numbers = (int(name) if name.isdecimal() else withdrawn_number(name) for name in names)
        return [number for number in numbers if number]

    def _children(self) -> list[Path]:
        return list(self._folder.iterdir()) if self._folder.is_dir() else []

    def _notes(self) -> list[Path]:
        return [note for note in (self._folder / NOTES).glob("*") if note.name.isdecimal()]

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ServingPlaceError(
                f"push.destination: cannot write to {str(self._folder)!r} ({error.strerror}): "
                "make room or give a folder that can be written to"
            ) from error


def _holds_model(version: Path) -> bool:
    return (version / MODEL_FILE).is_file()
