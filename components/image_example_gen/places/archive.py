"""A data folder within an archive: .zip, or .tar packed or not."""

import contextlib
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final

from darkroom.components.image_example_gen.errors import DataLocationError, missing_file
from darkroom.components.image_example_gen.places.files import MAX_BYTES
from darkroom.components.image_example_gen.places.names import FileNames

SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_GROWTH: Final = 100
"""Photographs hardly shrink; what unpacks to more than so many times its size is a bomb."""
_ALLOWANCE: Final = 2**28
"""Bytes that any archive may unpack to: a table shrinks well."""


class ArchivePlace:
    """A `Place` in an archive; the archive's bytes identify all that is in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._archive = _Zip(path) if path.name.lower().endswith(".zip") else _Tar(path)

    @cached_property
    def _names(self) -> FileNames:
        allowed = max(_ALLOWANCE, MAX_GROWTH * self._path.stat().st_size)
        names, total = [], 0
        with self._refused():
            for name, size in self._archive.list_members():
                _check_name(name, self._path)
                names.append(os.path.normpath(name))
                total += size
                if total > allowed:
                    raise DataLocationError(
                        f"data.path: {str(self._path)!r} unpacks to more than {allowed} bytes, "
                        f"{MAX_GROWTH} times its size; unpack it by hand if that is right"
                    )
        return FileNames(names)

    @cached_property
    def _digest(self) -> bytes:
        with self._path.open("rb") as file:
            digest = hashlib.sha256()
            while chunk := file.read(2**20):
                digest.update(chunk)
        return digest.digest()

    def check_exists(self) -> None:
        """See `Place`."""
        if not self._path.is_file():
            raise DataLocationError(
                f"data.path: archive {str(self._path)!r} does not exist; correct the path"
            )

    @contextlib.contextmanager
    def open(self, name: str, field: str) -> Iterator[BinaryIO]:
        """See `Place`."""
        name = os.path.normpath(name)
        if name not in self._names:
            raise missing_file(name, self._path, field)
        with self._refused():
            content = next(content.read() for _, content in self._archive.iterate({name}))
        yield io.BytesIO(content)

    def list_folders(self) -> list[str]:
        """See `Place`; empty folders are left out."""
        return self._names.folders

    def list_files(self) -> list[str]:
        """See `Place`."""
        return self._names.files

    def list_linked(self) -> list[str]:
        """See `Place`; there are none here."""
        return []

    def list_names(self, folder: str) -> list[str]:
        """See `Place`."""
        return self._names.list_within(folder)

    def has_file(self, name: str) -> bool:
        """See `Place`."""
        return os.path.normpath(name) in self._names

    def make_relative(self, path: str) -> str:
        """See `Place`; no path of a machine leads into an archive."""
        return ""

    def known_digest(self, name: str) -> bytes | None:
        """See `Place`; members are not read on their own."""
        return None

    def identify(self, names: Sequence[str]) -> Iterator[bytes]:
        """See `Place`."""
        yield self._digest

    @contextlib.contextmanager
    def on_disk(self, list_names: Callable[[], Iterable[str]]) -> Iterator[Path]:
        """See `Place`; what is needed is unpacked, and removed afterwards."""
        needed = {os.path.normpath(name) for name in list_names()}
        with tempfile.TemporaryDirectory(prefix="darkroom-") as folder:
            with self._refused():
                for name, content in self._archive.iterate(needed):
                    target = Path(folder, name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("wb") as file:
                        shutil.copyfileobj(content, file)
            yield Path(folder)

    @contextlib.contextmanager
    def _refused(self) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError, OSError) as error:
            raise DataLocationError(
                f"data.path: {str(self._path)!r} cannot be unpacked ({error}); pack it anew, or "
                "unpack it and give the folder"
            ) from error


class _Archive(ABC):
    """An archive's regular files, by the names that it gives them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @abstractmethod
    def list_members(self) -> Iterator[tuple[str, int]]:
        """Names and sizes in bytes, one by one."""

    @abstractmethod
    def iterate(self, names: Collection[str]) -> Iterator[tuple[str, BinaryIO]]:
        """Some of them, in the order in which they lie; no more than MAX_BYTES of each + 1."""


class _Zip(_Archive):
    def list_members(self) -> Iterator[tuple[str, int]]:
        with zipfile.ZipFile(self._path) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    yield _slashed(member.filename), member.file_size

    def iterate(self, names: Collection[str]) -> Iterator[tuple[str, BinaryIO]]:
        with zipfile.ZipFile(self._path) as archive:
            for member in archive.infolist():
                name = os.path.normpath(_slashed(member.filename))
                if name in names and not member.is_dir():
                    with archive.open(member) as content:
                        yield name, io.BytesIO(content.read(MAX_BYTES + 1))


class _Tar(_Archive):
    def list_members(self) -> Iterator[tuple[str, int]]:
        with tarfile.open(self._path) as archive:
            for member in archive:
                if member.isfile():
                    yield member.name, member.size

    def iterate(self, names: Collection[str]) -> Iterator[tuple[str, BinaryIO]]:
        with tarfile.open(self._path) as archive:
            for member in archive:
                name = os.path.normpath(member.name)
                if name in names and (content := archive.extractfile(member)):
                    yield name, io.BytesIO(content.read(MAX_BYTES + 1))


def is_archive(path: Path) -> bool:
    """Whether a path is called as an archive is."""
    return path.name.lower().endswith(SUFFIXES)


def _slashed(name: str) -> str:
    """Some programs of Windows pack with backslashes."""
    return name.replace("\\", "/")


def _check_name(name: str, path: Path) -> None:
    if name.startswith("/") or ".." in name.split("/"):
        raise DataLocationError(
            f"data.path: {str(path)!r} holds {name!r}, which leads out of the folder that it is "
            "unpacked to; do not trust it, or pack it anew"
        )
