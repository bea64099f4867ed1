"""What a served version is, and what can be done with the place of them all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

MODEL_FILE: Final = "saved_model.pb"
"""The file by which a folder is a SavedModel."""


@dataclass(frozen=True)
class ServedVersion:
    """A version that is in place; `path` is a folder of this machine, or a URI."""

    version: int
    path: Path | str


class ServingPlace(Protocol):
    """Numbered versions of a model.

    Raises:
        ServingPlaceError: In each method, where the place cannot be used; names push.destination.
    """

    def newest(self) -> ServedVersion | None:
        """The newest version that holds a SavedModel, or None."""

    def digest(self, served: ServedVersion) -> str:
        """Digest of a version's content, as `model_digest` gives it."""

    def copy(self, served: ServedVersion, target: Path) -> None:
        """Copies a version to a folder that does not exist, without its warm-up requests."""

    def withdrawn(self) -> dict[str, int]:
        """Digest to number of the versions that were withdrawn; see `versions/withdrawn.py`.

        Notes the digests of those withdrawn since the last time, and forgets those put back.
        """

    def add(self, model: Path, prepare: Callable[[Path], None]) -> ServedVersion:
        """Puts a copy of a model into place under a new version number.

        The number is the time in seconds since 1970, as TFX's Pusher numbers versions, or one more
        than the newest, withdrawn ones included, where that is not later: numbers grow even after
        the place was emptied.

        Args:
            model: The SavedModel to copy.
            prepare: Called with the copy before it becomes visible.
        """
