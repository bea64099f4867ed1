"""A data folder in an object store: looked at through its listing, copied here to be read."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.litter import is_litter
from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.object_store import (
    Location,
    ObjectStore,
    StoredObject,
    scratch_copy,
)
from darkroom.storage.object_store.names import check_names
from darkroom.transform.rejection import Reason


class StoredFolder:
    """A `DataFolder` in an object store; images are identified by what its listing says.

    The listing is read once, so that all answers are about the same moment.
    """

    def __init__(self, config: DataConfig) -> None:
        self._uri = str(config.path)
        self._csv_file = os.path.normpath(config.csv_file)
        self._csv = b""
        with _named():
            self._store = ObjectStore(Location.parse(self._uri))

    @cached_property
    def _objects(self) -> dict[str, StoredObject]:
        with _named():
            return self._store.list_objects()

    @cached_property
    def _images(self) -> list[str]:
        names = (name for name in self._objects if "/" in name)
        images = [name for name in names if not any(map(is_litter, name.split("/")))]
        with _named():
            check_names(images, self._store.location)
        return sorted(images, key=_walk_order)

    def check_exists(self) -> None:
        """See `DataFolder`."""
        if not self._objects:
            raise DataLocationError(
                f"data.path: there is nothing at {self._uri!r}; correct it, or upload the data"
            )

    def read_csv(self) -> bytes:
        """See `DataFolder`."""
        if self._csv_file not in self._objects:
            raise DataLocationError(
                f"data.csv_file: {self._csv_file!r} does not exist in {self._uri!r}; "
                "name the file in data.csv_file, or set data.format: folders"
            )
        with _named():
            self._csv = self._store.read(self._csv_file)
        return self._csv

    def list_classes(self) -> list[str]:
        """See `DataFolder`; an object store has no empty folders."""
        return sorted({name.partition("/")[0] for name in self._images})

    def list_images(self) -> Iterator[str]:
        """See `DataFolder`."""
        return iter(self._images)

    def has_image(self, image_path: str) -> bool:
        """See `DataFolder`."""
        return os.path.normpath(image_path) in self._objects

    def identify(self, paths: Sequence[str]) -> Iterator[bytes]:
        """See `DataFolder`."""
        for path in paths:
            found = self._objects.get(os.path.normpath(path))
            state = f"{found.size} {found.tag}" if found else Reason.MISSING_FILE.value
            yield b"%s\0%s\n" % (os.fsencode(path), state.encode())

    @contextlib.contextmanager
    def on_disk(self, list_paths: Callable[[], Iterable[str]]) -> Iterator[Path]:
        """See `DataFolder`; nothing but the images needed and the CSV is copied."""

        @cache
        def needed() -> set[str]:
            # Only now, since to wait for another process that has the copy may take long.
            return {os.path.normpath(path) for path in list_paths()} | {self._csv_file}

        with contextlib.ExitStack() as stack:
            with _named():
                copy = scratch_copy(self._uri, lambda name: name in needed())
                path = stack.enter_context(copy)
            self._check_csv(path / self._csv_file)
            yield path

    def _check_csv(self, copied: Path) -> None:
        """Refuses a copy that is not the CSV whose rows say what is needed."""
        if self._csv and not (copied.is_file() and copied.read_bytes() == self._csv):
            raise DataLocationError(
                f"data.csv_file: {self._csv_file!r} in {self._uri!r} changed while it was read; "
                "run again"
            )


def _walk_order(name: str) -> tuple[tuple[bool, str], ...]:
    """Orders names as a walk through folders does: the files of each, then its folders."""
    *folders, file = name.split("/")
    return (*((True, folder) for folder in folders), (False, file))


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except ObjectStoreError as error:
        raise DataLocationError(f"data.path: {error}") from error
