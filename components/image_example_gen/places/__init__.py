"""Where the files of a data set are: their names, contents and identity, whatever is in them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from darkroom.components.image_example_gen.places.archive import ArchivePlace, is_archive
from darkroom.components.image_example_gen.places.bucket import BucketPlace
from darkroom.components.image_example_gen.places.local import LocalPlace


class Place(Protocol):
    """What sources, checks and ingest need of a data folder.

    It is listed once at most, so that all answers are about the same moment.
    """

    def check_exists(self) -> None:
        """Refuses a folder that is not there.

        Raises:
            DataLocationError: It is not.
        """

    def open(self, name: str, field: str) -> AbstractContextManager[BinaryIO]:
        """Opens a file that holds rows.

        Args:
            name: Relative to the data folder.
            field: The recipe's field that names it, for messages.

        Raises:
            DataLocationError: It is missing or unreadable.
        """

    def list_folders(self) -> list[str]:
        """Names of the folders in the data folder, in order.

        Raises:
            DataLocationError: The data folder may not be read.
        """

    def list_files(self) -> list[str]:
        """Names of the files, at any depth, in the order of a walk.

        Raises:
            DataLocationError: A folder may not be read.
        """

    def list_linked(self) -> list[str]:
        """Folders that are links and are not entered by `list_files`."""

    def list_names(self, folder: str) -> list[str]:
        """Names of all that lies directly in a folder, in order; empty where there is none.

        Args:
            folder: Relative to the data folder; empty for the data folder itself.
        """

    def has_file(self, name: str) -> bool:
        """Whether a name leads to a file in the data folder."""

    def make_relative(self, path: str) -> str:
        """An absolute path as one relative to the data folder; empty where it is not in it."""

    def known_digest(self, name: str) -> bytes | None:
        """SHA-256 of a file's bytes where `identify` has read them; else None."""

    def identify(self, names: Sequence[str]) -> Iterator[bytes]:
        """Bytes that are others whenever one of these files is another."""

    def on_disk(self, list_names: Callable[[], Iterable[str]]) -> AbstractContextManager[Path]:
        """The data folder as a folder of this machine.

        Args:
            list_names: Gives the names of the files that are needed.

        Raises:
            DataLocationError: It cannot be copied here, or what was read of it has changed.
        """


def open_place(path: Path | str) -> Place:
    """The data folder of a recipe.

    Args:
        path: A folder or an archive of this machine, or the URI of a folder in an object store.

    Raises:
        DataLocationError: It cannot be reached.
    """
    if not isinstance(path, Path):
        return BucketPlace(path)
    return ArchivePlace(path) if is_archive(path) and not path.is_dir() else LocalPlace(path)
