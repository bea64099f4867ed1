"""Copies that outlive a process, so that the next one need not begin anew."""

import contextlib
import functools
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.locks import locked
from darkroom.storage.object_store.download import download_folder
from darkroom.storage.object_store.store import StoredObject

SCRATCH_VARIABLE: Final = "DARKROOM_SCRATCH"


@contextlib.contextmanager
def scratch_copy(
    uri: str,
    wanted: Callable[[str], bool] | None = None,
    listing: Callable[[], Mapping[str, StoredObject]] | None = None,
) -> Iterator[Path]:
    """A local copy of a folder in an object store, for the time of the context.

    It lies in the folder that DARKROOM_SCRATCH names, else among the temporary files of this user,
    under a name of its own for each URI. It stays there, and a later call transfers only what is
    missing or changed. One process at a time has it; others wait.

    Args:
        wanted: As for `download_folder`.
        listing: Likewise; it is asked for when the copy is free.

    Yields:
        The copy; to be read, not written.

    Raises:
        ObjectStoreError: It cannot be copied.
    """
    place = _scratch_folder() / hashlib.sha256(uri.rstrip("/").encode()).hexdigest()[:16]
    with contextlib.ExitStack() as stack:
        try:
            place.mkdir(parents=True, exist_ok=True)
            words = "waiting for another process that has the copy of %s"
            say_waiting = functools.partial(logging.warning, words, uri)
            stack.enter_context(locked(place / "lock", say_waiting))
        except OSError as error:
            raise ObjectStoreError(
                f"cannot write to {str(place)!r} ({error.strerror}): "
                f"set {SCRATCH_VARIABLE} to a folder that can be written to"
            ) from error
        download_folder(uri, place / "files", wanted, listing)
        yield place / "files"


def _scratch_folder() -> Path:
    if named := os.environ.get(SCRATCH_VARIABLE):
        return Path(named)
    try:
        return _own_folder()
    except OSError as error:
        raise ObjectStoreError(
            f"cannot write among the temporary files ({error.strerror}): "
            f"set {SCRATCH_VARIABLE} to a folder that can be written to"
        ) from error


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"darkroom-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise ObjectStoreError(
            f"{str(folder)!r} belongs to another user; set {SCRATCH_VARIABLE} to a folder of yours"
        )
    return folder
