"""A data folder of this machine."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Final, NoReturn

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.files import open_image, resolve_image
from darkroom.components.image_example_gen.litter import is_litter
from darkroom.transform.rejection import RejectedError

_THREADS: Final = 8
_BATCH: Final = 64
_CHUNK: Final = 2**20


class LocalFolder:
    """A `DataFolder` of this machine; images are identified by their content."""

    def __init__(self, config: DataConfig) -> None:
        self._path = Path(config.path)
        self._csv_file = config.csv_file

    @cached_property
    def _root(self) -> Path:
        return self._path.resolve()

    def check_exists(self) -> None:
        """See `DataFolder`."""
        if not self._path.is_dir():
            raise DataLocationError(
                f"data.path: folder {str(self._path)!r} does not exist; give a local or mounted "
                "folder, relative to the current directory, or a URI such as s3://bucket/folder"
            )

    def read_csv(self) -> bytes:
        """See `DataFolder`."""
        try:
            return (self._path / self._csv_file).read_bytes()
        except FileNotFoundError:
            hint = "name the file in data.csv_file, or set data.format: folders"
            raise DataLocationError(
                f"data.csv_file: {self._csv_file!r} does not exist in {str(self._path)!r}; {hint}"
            ) from None
        except OSError as error:
            raise DataLocationError(
                f"data.csv_file: {self._csv_file!r} cannot be read ({error.strerror}); "
                "it should be a readable file"
            ) from None

    def list_classes(self) -> list[str]:
        """See `DataFolder`."""
        return [folder.name for folder in self._class_folders()]

    def list_images(self) -> Iterator[str]:
        """See `DataFolder`; linked folders below a class folder are not entered."""
        for folder in self._class_folders():
            for parent, folders, files in os.walk(folder, onerror=_refuse_folder):
                folders[:] = sorted(name for name in folders if not is_litter(name))
                names = sorted(name for name in files if not is_litter(name))
                yield from (Path(parent, name).relative_to(self._path).as_posix() for name in names)

    def has_image(self, image_path: str) -> bool:
        """See `DataFolder`."""
        try:
            return resolve_image(self._root, image_path).is_file()
        except (RejectedError, OSError):
            return False

    def identify(self, paths: Sequence[str]) -> Iterator[bytes]:
        """See `DataFolder`."""
        with ThreadPoolExecutor(_THREADS) as pool:
            yield from pool.map(self._hash_files, _batches(paths))

    @contextlib.contextmanager
    def on_disk(self, list_paths: Callable[[], Iterable[str]]) -> Iterator[Path]:
        """See `DataFolder`."""
        yield self._path

    def _class_folders(self) -> list[Path]:
        try:
            children = list(self._path.iterdir())
        except OSError as error:
            _refuse_folder(error)
        return sorted(path for path in children if path.is_dir() and not is_litter(path.name))

    def _hash_files(self, paths: Sequence[str]) -> bytes:
        return b"".join(
            b"%s\0%s\n" % (os.fsencode(path), self._hash_file(path).encode()) for path in paths
        )

    def _hash_file(self, path: str) -> str:
        digest = hashlib.sha256()
        try:
            with open_image(self._root, path) as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except RejectedError as rejection:
            return rejection.reason.value
        return digest.hexdigest()


def _batches(paths: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(paths)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _refuse_folder(error: OSError) -> NoReturn:
    raise DataLocationError(
        f"data.path: folder {str(error.filename)!r} cannot be read ({error.strerror}); "
        "make it readable, or move it away"
    ) from error
