"""The data folder: names, sizes and contents, wherever it lies."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.local_folder import LocalFolder
from darkroom.components.image_example_gen.stored_folder import StoredFolder


class DataFolder(Protocol):
    """What ImageExampleGen and its checks need of a data folder."""

    def check_exists(self) -> None:
        """Refuses a folder that is not there.

        Raises:
            DataLocationError: It is not.
        """

    def read_csv(self) -> bytes:
        """The CSV as stored.

        Raises:
            DataLocationError: It is missing or unreadable.
        """

    def list_classes(self) -> list[str]:
        """Names of the class folders, in order.

        Raises:
            DataLocationError: The data folder may not be read.
        """

    def list_images(self) -> Iterator[str]:
        """Paths of the files below the class folders, relative to the data folder, in order.

        Raises:
            DataLocationError: A folder may not be read.
        """

    def has_image(self, image_path: str) -> bool:
        """Whether a row's path leads to a file in the data folder."""

    def identify(self, paths: Sequence[str]) -> Iterator[bytes]:
        """Bytes that are others whenever one of these images is another."""

    def on_disk(self, list_paths: Callable[[], Iterable[str]]) -> AbstractContextManager[Path]:
        """The data folder as a folder of this machine.

        Args:
            list_paths: Gives the paths of the images that are needed.

        Raises:
            DataLocationError: It cannot be copied here.
        """


def open_folder(config: DataConfig) -> DataFolder:
    """The data folder of a recipe.

    Raises:
        DataLocationError: It cannot be reached.
    """
    if isinstance(config.path, Path):
        return LocalFolder(config)
    return StoredFolder(config)
