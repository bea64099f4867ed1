"""What is served, wherever the push destination lies: in a folder or in an object store.

Imports neither TensorFlow nor TFX, so that a command line may ask before it decides anything.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from darkroom.storage.fingerprint import WARMUP_FOLDER, model_digest
from darkroom.storage.object_store import is_uri
from darkroom.storage.serving_folder import (
    ServedVersion,
    add_version,
    newest_version,
    withdrawn_versions,
)
from darkroom.storage.serving_store import ServingStore


class ServingPlace(Protocol):
    """Numbered versions of a model; errors are StorageErrors that name push.destination."""

    def newest(self) -> ServedVersion | None:
        """The newest version that holds a SavedModel, or None."""

    def digest(self, served: ServedVersion) -> str:
        """Digest of a version's content, as `model_digest` gives it."""

    def copy(self, served: ServedVersion, target: Path) -> None:
        """Copies a version to a folder that does not exist, without its warm-up requests."""

    def withdrawn(self) -> dict[str, int]:
        """Digest to number of the versions that were withdrawn; see `storage/withdrawn.py`.

        Notes the digests of those withdrawn since the last time, and forgets those put back.
        """

    def add(self, model: Path, prepare: Callable[[Path], None]) -> ServedVersion:
        """Puts a copy of a model into place under a new version number.

        The number is the time in seconds since 1970, or one more than the newest, withdrawn ones
        included, where that is not later.

        Args:
            model: The SavedModel to copy.
            prepare: Called with the copy before it becomes visible.
        """


def open_place(destination: str) -> ServingPlace:
    """The serving folder of a recipe's `push.destination`.

    Raises:
        ServingPlaceError: It is in an object store that cannot be used.
    """
    return ServingStore(destination) if is_uri(destination) else _ServingFolder(Path(destination))


def served_version(destination: str) -> str:
    """Names what is served: version and content digest, or `none`.

    Raises:
        StorageError: The destination cannot be read.
    """
    place = open_place(destination)
    served = place.newest()
    return f"{served.version}:{place.digest(served)}" if served else "none"


class _ServingFolder:
    """A folder of this machine; see `darkroom.storage.serving_folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> ServedVersion | None:
        return newest_version(self._folder)

    def digest(self, served: ServedVersion) -> str:
        return model_digest(Path(served.path))

    def copy(self, served: ServedVersion, target: Path) -> None:
        shutil.copytree(served.path, target, ignore=shutil.ignore_patterns(WARMUP_FOLDER))

    def withdrawn(self) -> dict[str, int]:
        return withdrawn_versions(self._folder)

    def add(self, model: Path, prepare: Callable[[Path], None]) -> ServedVersion:
        return add_version(self._folder, model, prepare)
