"""From an object store into a folder: what is missing or changed, many objects at a time.

Beside the folder `name` lies `.name.copy`, with the journal of the copy and its unfinished files. A
file is renamed into the folder when it is whole, so a kill at any moment costs at most what was in
flight; a large file even goes on from the bytes it has, as long as the object is the same.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from darkroom.storage.errors import ObjectChangedError, ObjectStoreError
from darkroom.storage.object_store.journal import Journal
from darkroom.storage.object_store.location import Location
from darkroom.storage.object_store.names import check_names
from darkroom.storage.object_store.store import ObjectStore, StoredObject, in_parallel

CHUNK_BYTES: Final = 4 * 2**20
"""Read at a time: what a transfer holds in memory."""

_PASSES: Final = 3


def download_folder(
    uri: str,
    folder: Path,
    wanted: Callable[[str], bool] | None = None,
    listing: Callable[[], Mapping[str, StoredObject]] | None = None,
) -> None:
    """Makes a folder the copy of one in an object store.

    What an earlier copy put there and the store has no more is removed; other files of the folder
    stay. Each file is checked: its size, and its MD5 where the store gives one, or else that the
    object was the same before and after.

    Args:
        folder: Where to; made where it does not exist.
        wanted: Says of a name, relative to the folder, whether to copy it; all by default.
        listing: Gives the objects as `ObjectStore.list_objects` found them, where that has been
            done; it is done again if one of them has changed.

    Raises:
        ObjectStoreError: It cannot be read or written, or does not stay as it is meanwhile.
    """
    store = ObjectStore(Location.parse(uri))
    with _disk_errors(folder):
        for number in range(_PASSES):
            listed = listing() if listing and number == 0 else store.list_objects()
            changed = _copy(store, folder, listed, wanted)
            if not changed:
                return
    raise ObjectStoreError(
        f"{store.location.join(changed[0])}: changes while it is copied; "
        "try again when nobody writes there"
    )


def discard_state(folder: Path) -> None:
    """Forgets how a folder was copied: it is never to be copied again."""
    shutil.rmtree(_state(folder), ignore_errors=True)


def _copy(
    store: ObjectStore,
    folder: Path,
    listed: Mapping[str, StoredObject],
    wanted: Callable[[str], bool] | None,
) -> list[str]:
    """One pass; returns what changed during it."""
    if not listed:
        raise ObjectStoreError(
            f"{store.location}: there is nothing there; correct the name, or upload it"
        )
    objects = {name: each for name, each in listed.items() if not wanted or wanted(name)}
    check_names(objects, store.location)
    copy = _Copy(store, folder)
    copy.prepare(objects)
    missing = [each for each in objects.values() if not copy.journal.holds(each)]
    placed = in_parallel(copy.fetch, missing)
    return [each.name for each, whole in zip(missing, placed, strict=True) if not whole]


class _Copy:
    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._partials = _state(folder) / "partial"
        self._partials.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(_state(folder) / "journal", folder)

    def prepare(self, objects: dict[str, StoredObject]) -> None:
        """Removes what the store has no more, and parts of what is another object by now."""
        for name in self.journal.names - objects.keys():
            _remove_file(self._folder, name)
        self.journal.keep(set(objects))
        current = {_partial_name(each) for each in objects.values()}
        for partial in self._partials.iterdir():
            if partial.name not in current:
                partial.unlink()

    def fetch(self, wanted: StoredObject) -> bool:
        """Puts an object into place; False where it is not the same any more."""
        partial = self._partials / _partial_name(wanted)
        try:
            whole = self._fill_and_check(partial, wanted)
        except ObjectChangedError:
            whole = False
        if not whole:
            partial.unlink(missing_ok=True)
            return False
        target = self._folder / wanted.name
        target.parent.mkdir(parents=True, exist_ok=True)
        self.journal.add(wanted, partial.stat().st_mtime_ns)
        partial.replace(target)
        return True

    def _fill_and_check(self, partial: Path, wanted: StoredObject) -> bool:
        md5 = self._fill(partial, wanted)
        if md5 == wanted.md5:
            return True
        now = self._store.describe(wanted.name)
        if now.tag != wanted.tag:
            return False
        if not now.md5:
            return True
        partial.unlink()
        return self._fill(partial, wanted) == now.md5 or self._refuse_damaged(wanted)

    def _refuse_damaged(self, wanted: StoredObject) -> bool:
        if self._store.describe(wanted.name).tag != wanted.tag:
            return False
        raise ObjectStoreError(
            f"{self._store.location.join(wanted.name)}: is damaged on the way, again and again; "
            "check what lies between here and the store, such as a proxy"
        )

    def _fill(self, partial: Path, wanted: StoredObject) -> str:
        """Reads what a file lacks; returns the MD5 of all of it."""
        digest = hashlib.md5(usedforsecurity=False)
        with partial.open("a+b") as file:
            file.seek(0)
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
            start = file.tell()
            while start < wanted.size:
                end = min(start + CHUNK_BYTES, wanted.size)
                chunk = self._store.read(wanted.name, start, end)
                if len(chunk) != end - start:
                    raise ObjectChangedError(f"{wanted.name}: has another size")
                file.write(chunk)
                file.flush()
                digest.update(chunk)
                start = end
        return digest.hexdigest()


def _state(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.copy"


def _partial_name(wanted: StoredObject) -> str:
    return hashlib.sha256(f"{wanted.name}\0{wanted.size}\0{wanted.tag}".encode()).hexdigest()


def _remove_file(folder: Path, name: str) -> None:
    path = folder / name
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()
    for parent in path.parents:
        if parent == folder:
            break
        with contextlib.suppress(OSError):  # It holds something else.
            parent.rmdir()


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ObjectStoreError(
            f"cannot copy to {str(folder)!r} ({error.strerror}): make room there, "
            "or point DARKROOM_SCRATCH to a larger disk if that is where it lies"
        ) from error
