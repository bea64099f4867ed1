"""From a folder into an object store: what is missing or changed, many files at a time."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.fingerprint import list_files
from darkroom.storage.object_store.location import Location
from darkroom.storage.object_store.names import check_names
from darkroom.storage.object_store.store import ObjectStore, StoredObject, in_parallel, part_bytes


def upload_folder(folder: Path, uri: str) -> None:
    """Makes a folder of an object store the copy of one of this machine.

    What the store has there and the folder has not is removed. An object appears whole or not at
    all. What is damaged on the way S3 refuses, by the checksums that s3fs sends along; gcsfs sends
    none, so that from Google's store it is removed at once.

    Args:
        uri: Where to; a folder of its own, not a whole bucket.

    Raises:
        ObjectStoreError: It cannot be read or written.
    """
    store = ObjectStore(Location.parse(uri))
    if not store.location.key:
        raise ObjectStoreError(f"{uri}: is a whole bucket; name a folder in it")
    files = list_files(folder)
    check_names(files, store.location)
    stored = store.list_objects()
    changed = [name for name in files if not _is_same(files[name], stored.get(name))]
    gone = [name for name in stored if name not in files]
    if not changed and not gone:
        return
    in_parallel(store.remove, gone)
    upload_files(store, {name: files[name] for name in changed})
    check_sizes(store, files)


def upload_files(store: ObjectStore, files: Mapping[str, Path]) -> None:
    """Uploads files under the names given."""
    in_parallel(lambda name: store.upload(name, files[name]), files)


def check_sizes(store: ObjectStore, files: Mapping[str, Path], below: str = "") -> None:
    """Refuses a copy in which a file is missing or of another size.

    Args:
        files: By name in the store.
        below: Folder in the store that holds them all.

    Raises:
        ObjectStoreError: One is.
    """
    stored = store.list_objects(below)
    for name, path in files.items():
        if name not in stored or stored[name].size != path.stat().st_size:
            raise ObjectStoreError(
                f"{store.location.join(name)}: is not as it was uploaded; "
                "somebody else writes there"
            )


def _is_same(path: Path, stored: StoredObject | None) -> bool:
    if not stored or stored.size != path.stat().st_size:
        return False
    digests = _part_digests(path)
    if stored.md5:
        return stored.md5 == digests[0]
    # S3's tag of what was uploaded in parts: the MD5 of their MD5s, and how many they were.
    return stored.tag == f"{digests[1]}-{digests[2]}"


def _part_digests(path: Path) -> tuple[str, str, int]:
    whole, parts, count = (*(hashlib.md5(usedforsecurity=False) for _ in range(2)), 0)
    size = part_bytes(path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(size):
            whole.update(chunk)
            parts.update(hashlib.md5(chunk, usedforsecurity=False).digest())
            count += 1
    return whole.hexdigest(), parts.hexdigest(), count
