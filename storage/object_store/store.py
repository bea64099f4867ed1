"""One folder of an object store, through fsspec; every error in one line."""

import base64
import contextlib
import math
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.object_store.connection import THREADS, open_files
from darkroom.storage.object_store.explanation import explain, shown_cause, store_code
from darkroom.storage.object_store.location import Location
from darkroom.storage.object_store.names import check_version

PART_BYTES: Final = 5 * 2**20
"""Of an upload; the least that S3 takes. Objects of less than two parts go in one piece."""

_PARTS: Final = 10_000
"""The most parts that S3 takes of one upload."""

_NOTE: Final = "darkroom"
_MD5: Final = re.compile(r"[0-9a-f]{32}")
_TAKEN: Final = frozenset(("409", "412", "ConditionalRequestConflict", "PreconditionFailed"))
_UNKNOWN: Final = frozenset(("501", "NotImplemented"))

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing shows it.

    Attributes:
        name: Relative to the folder.
        size: In bytes.
        tag: Another one whenever the content is another: ETag, or Google's generation.
        md5: Digest of the content in hexadecimal, or empty. S3's ETag looks like one and is none
            where the bucket encrypts with its own keys; Google's always is one.
        written: When it was written, in seconds since 1970 by the store's clock.
    """

    name: str
    size: int
    tag: str
    md5: str
    written: float = 0.0


class ObjectStore:
    """A folder of an object store.

    Args:
        location: The folder; it need not exist.

    Raises:
        ObjectStoreError: In each method, where the store cannot be used as asked.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        with _explained(location):
            self._files = open_files(location)

    def list_objects(self, below: str = "") -> dict[str, StoredObject]:
        """All objects by name, or those in a folder; markers of empty folders are none."""
        folder = self.location.join(below) if below else self.location
        check_version(folder)
        prefix = f"{folder.key}/" if folder.key else ""
        with _explained(self.location._replace(key="")):
            found = self._files.find(self.location.bucket, prefix=prefix, detail=True)
        start = len(self.location.path) + 1
        objects = (_stored(name[start:], info) for name, info in found.items())
        return {each.name: each for each in objects if each.name and each.name[-1] != "/"}

    def describe(self, name: str) -> StoredObject:
        """One object as it is now; `md5` is empty where the store's tag only looks like one.

        Raises:
            ObjectChangedError: There is none.
        """
        with self._at(name) as path:
            if self.location.scheme == "gs":
                return _stored(name, self._files.info(path))
            bucket, _, key = path.partition("/")
            head = self._files.call_s3("head_object", Bucket=bucket, Key=key)
            stored = _stored(name, {**head, "size": head["ContentLength"]})
            return stored if _has_md5(head, bucket) else replace(stored, md5="")

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """Content, or bytes `start` to `end` of it; ObjectChangedError if there are none."""
        with self._at(name) as path:
            return bytes(self._files.cat_file(path, start=start, end=end))

    def write(self, name: str, content: bytes) -> None:
        """Makes or replaces an object."""
        with self._written(name) as path:
            self._files.pipe_file(path, content)

    def create(self, name: str, content: bytes) -> bool:
        """Makes an object, and says whether it was this call that did.

        By a conditional write. Where a store knows none, of two writers at the same moment both
        may be told so, in spite of a look before and after.

        Args:
            content: Another one for each writer.
        """
        with self._written(name) as path:
            if self._files.exists(path):
                return False
            try:
                self._files.pipe_file(path, content, mode="create")
            except Exception as error:
                if store_code(error) in _UNKNOWN:
                    self._files.pipe_file(path, content)
                elif not isinstance(error, FileExistsError) and store_code(error) not in _TAKEN:
                    raise
            # Also after a refusal: it may answer a repetition, where the first answer got lost.
            with contextlib.suppress(FileNotFoundError):
                return bytes(self._files.cat_file(path)) == content
            return False

    def upload(self, name: str, path: Path, note: str = "") -> None:
        """Makes or replaces an object with a file's content and an ASCII note for `read_note`."""
        notes = {_NOTE: note} if note else {}
        options: dict[str, Any] = {"max_concurrency": 2}
        if notes:
            options["metadata" if self.location.scheme == "gs" else "Metadata"] = notes
        with self._written(name) as target:
            parts = PART_BYTES if self.location.scheme == "gs" else part_bytes(path.stat().st_size)
            self._files.put_file(str(path), target, chunksize=parts, **options)

    def read_note(self, name: str) -> str:
        """What was noted when the object was uploaded, or an empty string."""
        with self._at(name) as path, contextlib.suppress(KeyError):
            return str(self._files.getxattr(path, _NOTE) or "")
        return ""

    def move(self, name: str, target: str) -> None:
        """Gives an object another name, its note included; the store copies it itself."""
        with self._at(name) as source, self._written(target) as path:
            self._files.cp_file(source, path)
            self._files.rm_file(source)

    def remove(self, name: str) -> None:
        """Removes an object, where there is one."""
        with self._at(name) as path, contextlib.suppress(FileNotFoundError):
            self._files.rm_file(path)

    @contextlib.contextmanager
    def _at(self, name: str) -> Iterator[str]:
        location = self.location.join(name) if name else self.location
        check_version(location)
        with _explained(location):
            try:
                yield location.path
            except FileNotFoundError:
                self._find_bucket()
                raise

    def _find_bucket(self) -> None:
        """Refuses a bucket that is missing: gcsfs does not tell it from a missing object."""
        if self.location.scheme == "gs":
            with _explained(self.location._replace(key="")):
                self._files.call("GET", "b/{}/o", self.location.bucket, maxResults=1)

    @contextlib.contextmanager
    def _written(self, name: str) -> Iterator[str]:
        """Removes what arrived damaged: gcsfs compares MD5s when the object is there already."""
        with self._at(name) as path:
            try:
                yield path
            except Exception as error:
                if type(error).__name__ == "ChecksumError":
                    self._files.rm_file(path)
                raise


def part_bytes(size: int) -> int:
    """Size of the parts of an upload of so many bytes to S3, but for the last."""
    return max(PART_BYTES, math.ceil(size / _PARTS))


def read_bytes(uri: str) -> bytes:
    """Content of an object; ObjectStoreError where it cannot be read."""
    return ObjectStore(Location.parse(uri)).read("")


def write_bytes(uri: str, content: bytes) -> None:
    """Makes or replaces an object; ObjectStoreError where it cannot be written."""
    ObjectStore(Location.parse(uri)).write("", content)


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Does many transfers at a time; the first error ends them all."""
    pool = ThreadPoolExecutor(THREADS)
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _explained(location: Location) -> Iterator[None]:
    try:
        yield
    except ObjectStoreError:
        raise
    except Exception as error:
        raise explain(error, location) from shown_cause(error)


def _stored(name: str, info: dict[str, Any]) -> StoredObject:
    etag = str(info.get("ETag", "")).strip('"')
    md5 = etag if _MD5.fullmatch(etag) else ""
    if encoded := info.get("md5Hash"):
        md5 = base64.b64decode(encoded).hex()
    modified = info.get("LastModified") or info.get("mtime")
    return StoredObject(
        name=name,
        size=int(info["size"]),
        tag=str(info.get("generation") or etag or info["size"]),
        md5=md5,
        written=modified.timestamp() if modified else 0.0,
    )


def _has_md5(head: dict[str, Any], bucket: str) -> bool:
    """Whether S3's tag, where it looks like an MD5, is one; in directory buckets it is not."""
    encrypted = head.get("ServerSideEncryption", "AES256") != "AES256"
    return not (encrypted or head.get("SSECustomerAlgorithm") or bucket.endswith("--x-s3"))
