"""A data folder of this machine."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from darkroom.components.image_example_gen.errors import DataLocationError, missing_file
from darkroom.components.image_example_gen.places.files import open_file
from darkroom.components.image_example_gen.places.litter import is_litter
from darkroom.transform.rejection import RejectedError

_THREADS: Final = 8
_BATCH: Final = 64
_CHUNK: Final = 2**20


class LocalPlace:
    """A `Place` of this machine; files are identified by their content."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests: dict[str, bytes] = {}
        self._linked: list[str] = []

    @cached_property
    def _root(self) -> Path:
        return self._path.resolve()

    @cached_property
    def _children(self) -> list[Path]:
        try:
            return sorted(path for path in self._path.iterdir() if not is_litter(path.name))
        except OSError as error:
            _refuse_folder(error)

    @cached_property
    def _folders(self) -> list[str]:
        return [path.name for path in self._children if path.is_dir()]

    @cached_property
    def _files(self) -> list[str]:
        beside = [path.name for path in self._children if path.is_file()]
        return [*beside, *(name for folder in self._folders for name in self._walk(folder))]

    def check_exists(self) -> None:
        """See `Place`."""
        if not self._path.is_dir():
            raise DataLocationError(
                f"data.path: folder {str(self._path)!r} does not exist; give a local or mounted "
                "folder, relative to the current directory, or a URI such as s3://bucket/folder"
            )

    @contextlib.contextmanager
    def open(self, name: str, field: str) -> Iterator[BinaryIO]:
        """See `Place`."""
        try:
            with (self._path / name).open("rb") as file:
                yield file
        except FileNotFoundError:
            raise missing_file(name, self._path, field) from None
        except OSError as error:
            raise DataLocationError(
                f"{field}: {name!r} cannot be read ({error.strerror}); it should be a readable file"
            ) from None

    def list_folders(self) -> list[str]:
        """See `Place`."""
        return self._folders

    def list_files(self) -> list[str]:
        """See `Place`; linked folders below the first level are not entered."""
        return self._files

    def list_linked(self) -> list[str]:
        """See `Place`."""
        self.list_files()
        return self._linked

    def list_names(self, folder: str) -> list[str]:
        """See `Place`."""
        try:
            return sorted(path.name for path in (self._root / folder).iterdir())
        except (OSError, ValueError):
            return []

    def has_file(self, name: str) -> bool:
        """See `Place`; where links lead is looked at when the file is read."""
        if os.path.isabs(name) or os.path.normpath(name).startswith(os.pardir):  # noqa: PTH117
            return False
        try:
            # Asked of every row: pathlib takes ten times as long.
            return os.path.isfile(os.path.join(self._root, name))  # noqa: PTH113
        except ValueError:  # a NUL character, before Python 3.12
            return False

    def make_relative(self, path: str) -> str:
        """See `Place`."""
        for root in (self._root, self._path.absolute()):
            if Path(path).is_relative_to(root):
                return Path(path).relative_to(root).as_posix()
        return ""

    def known_digest(self, name: str) -> bytes | None:
        """See `Place`."""
        return self._digests.get(name)

    def identify(self, names: Sequence[str]) -> Iterator[bytes]:
        """See `Place`."""
        with ThreadPoolExecutor(_THREADS) as pool:
            yield from pool.map(self._hash_files, _batches(names))

    @contextlib.contextmanager
    def on_disk(self, list_names: Callable[[], Iterable[str]]) -> Iterator[Path]:
        """See `Place`."""
        yield self._path

    def _walk(self, folder: str) -> Iterator[str]:
        for parent, folders, files in os.walk(self._path / folder, onerror=_refuse_folder):
            folders[:] = sorted(name for name in folders if not is_litter(name))
            below = Path(parent).relative_to(self._path).as_posix()
            links = (name for name in folders if Path(parent, name).is_symlink())
            self._linked.extend(f"{below}/{name}" for name in links)
            yield from (f"{below}/{name}" for name in sorted(files) if not is_litter(name))

    def _hash_files(self, names: Sequence[str]) -> bytes:
        return b"".join(
            b"%s\0%s\n" % (os.fsencode(name), self._hash_file(name).encode()) for name in names
        )

    def _hash_file(self, name: str) -> str:
        digest = hashlib.sha256()
        try:
            with open_file(self._root, name) as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except RejectedError as rejection:
            return rejection.reason.value
        self._digests[name] = digest.digest()
        return digest.hexdigest()


def _batches(names: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(names)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _refuse_folder(error: OSError) -> NoReturn:
    raise DataLocationError(
        f"data.path: folder {str(error.filename)!r} cannot be read ({error.strerror}); "
        "make it readable, or move it away"
    ) from error
