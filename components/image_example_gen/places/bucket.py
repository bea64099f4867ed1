"""A data folder in an object store: looked at through its listing, copied here to be read."""

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import BinaryIO, Final

from darkroom.components.image_example_gen.errors import DataLocationError, missing_file
from darkroom.components.image_example_gen.places.names import FileNames
from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.object_store import (
    Location,
    ObjectStore,
    StoredObject,
    scratch_copy,
)
from darkroom.storage.object_store.names import check_names
from darkroom.transform.rejection import Reason

_KEPT_BYTES: Final = 2**26


class BucketPlace:
    """A `Place` in an object store; files are identified by what its listing says."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._kept: dict[str, bytes] = {}
        self._read: dict[str, tuple[bytes, str]] = {}
        with _named():
            self._store = ObjectStore(Location.parse(uri))

    @cached_property
    def _objects(self) -> dict[str, StoredObject]:
        with _named():
            return self._store.list_objects()

    @cached_property
    def _names(self) -> FileNames:
        return FileNames(self._objects)

    @cached_property
    def _files(self) -> list[str]:
        with _named():
            check_names(self._names.files, self._store.location)
        return self._names.files

    def check_exists(self) -> None:
        """See `Place`."""
        if not self._objects:
            raise DataLocationError(
                f"data.path: there is nothing at {self._uri!r}; correct it, or upload the data"
            )

    @contextlib.contextmanager
    def open(self, name: str, field: str) -> Iterator[BinaryIO]:
        """See `Place`; what is not large is transferred once."""
        name = os.path.normpath(name)
        if name not in self._objects:
            raise missing_file(name, self._uri, field)
        content = self._kept.get(name)
        if content is None:
            with _named():
                content = self._store.read(name)
            self._read[name] = hashlib.sha256(content).digest(), field
            if len(content) <= _KEPT_BYTES:
                self._kept[name] = content
        yield io.BytesIO(content)

    def list_folders(self) -> list[str]:
        """See `Place`; an object store has no empty folders."""
        return self._names.folders

    def list_files(self) -> list[str]:
        """See `Place`."""
        return self._files

    def list_linked(self) -> list[str]:
        """See `Place`; there are none here."""
        return []

    def list_names(self, folder: str) -> list[str]:
        """See `Place`."""
        return self._names.list_within(folder)

    def has_file(self, name: str) -> bool:
        """See `Place`."""
        return os.path.normpath(name) in self._objects

    def make_relative(self, path: str) -> str:
        """See `Place`; a path of some machine is in no object store."""
        return ""

    def known_digest(self, name: str) -> bytes | None:
        """See `Place`; nothing is read here."""
        return None

    def identify(self, names: Sequence[str]) -> Iterator[bytes]:
        """See `Place`."""
        for name in names:
            found = self._objects.get(os.path.normpath(name))
            state = f"{found.size} {found.tag}" if found else Reason.MISSING_FILE.value
            yield b"%s\0%s\n" % (os.fsencode(name), state.encode())

    @contextlib.contextmanager
    def on_disk(self, list_names: Callable[[], Iterable[str]]) -> Iterator[Path]:
        """See `Place`; nothing is copied but what is needed."""

        @cache
        def needed() -> set[str]:
            # Only now, since to wait for another process that has the copy may take long.
            return {os.path.normpath(name) for name in list_names()}

        with contextlib.ExitStack() as stack:
            with _named():
                copy = scratch_copy(self._uri, lambda name: name in needed(), lambda: self._objects)
                path = stack.enter_context(copy)
            self._check_copy(path)
            yield path

    def _check_copy(self, folder: Path) -> None:
        """Refuses a copy in which what was read of the place is another by now."""
        for name, (digest, field) in self._read.items():
            copied = folder / name
            same = copied.is_file() and hashlib.sha256(copied.read_bytes()).digest() == digest
            if not same:
                raise DataLocationError(
                    f"{field}: {name!r} in {self._uri!r} changed while it was read; run again"
                )


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except ObjectStoreError as error:
        raise DataLocationError(f"data.path: {error}") from error
