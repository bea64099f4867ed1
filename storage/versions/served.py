"""What a served version is, and what can be done with the place of them all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from darkroom.storage.versions.withdrawn import withdrawn_number

MODEL_FILE: Final = "saved_model.pb"
"""The file by which a folder is a SavedModel."""


@dataclass(frozen=True)
class Version:
    """One version of a model, in place or withdrawn.

    Attributes:
        number: The number under which it is or was served.
        state: `served` is the newest in place, `older` are those below it.
        path: Its folder, or URI.
    """

    number: int
    state: Literal["served", "older", "withdrawn"]
    path: Path | str


def tell_states(place: Callable[[str], Path | str], folders: Iterable[str]) -> "list[Version]":
    """What the folders of SavedModels in a place are; those of other names are no versions.

    Args:
        place: From a folder's name to where it is.
        folders: Names of folders that hold a SavedModel.
    """
    known = list(folders)
    in_place = {int(name): name for name in known if name.isdecimal()}
    withdrawn = {number: name for name in known if (number := withdrawn_number(name))}
    newest = max(in_place, default=0)
    return [
        *(Version(n, "served" if n == newest else "older", place(f)) for n, f in in_place.items()),
        *(Version(number, "withdrawn", place(name)) for number, name in withdrawn.items()),
    ]


class ServingPlace(Protocol):
    """Numbered versions of a model.

    Raises:
        ServingPlaceError: In each method, where the place cannot be used; names push.destination.
    """

    def newest(self) -> Version | None:
        """The version in place that is served, or None."""

    def versions(self) -> list[Version]:
        """All that hold a SavedModel, in place or withdrawn, in no order."""

    def read(self, version: Version, name: str) -> bytes | None:
        """Content of a small file of a version, or None."""

    def withdraw(self, number: int) -> None:
        """Takes a version out of service; does nothing where it is not in place."""

    def put_back(self, number: int) -> None:
        """Puts a withdrawn version back into its place, with its note gone."""

    def remove(self, version: Version) -> None:
        """Removes a version, so that nobody loads half of it."""

    def digest(self, version: Version) -> str:
        """Digest of a version's content, as `model_digest` gives it."""

    def copy(self, version: Version, target: Path) -> None:
        """Copies a version to a folder that does not exist, without its warm-up requests."""

    def withdrawn(self) -> dict[str, int]:
        """Digest to number of the versions that were withdrawn; see `versions/withdrawn.py`.

        Notes the digests of those withdrawn since the last time, and forgets those put back.
        """

    def add(self, model: Path, prepare: Callable[[Path], None]) -> Version:
        """Puts a copy of a model into place under a new version number.

        The number is the time in seconds since 1970, as TFX's Pusher numbers versions, or one more
        than the newest, withdrawn ones included, where that is not later: numbers grow even after
        the place was emptied.

        Args:
            model: The SavedModel to copy.
            prepare: Called with the copy before it becomes visible.
        """
