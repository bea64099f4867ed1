"""The folder a model server polls, in an object store, which has neither renames nor locks.

`saved_model.pb` of a new version is uploaded after all its other files. TensorFlow Serving finds a
version by the number of its folder and loads it by that file: a version that it meets half uploaded
fails at once (there is no SavedModel yet), the version before it goes on serving, and the load is
tried again every minute, five times by default. So no half model is ever served. Where an upload
may take longer than those minutes, give TensorFlow Serving a higher `--max_num_load_retries`. What
fetches versions from a bucket, such as serving/deploy's fetch_versions.sh, waits for that file too.

A number is taken by a marker, `.pushes/<version>`, made with a conditional write: of two pushes at
the same moment one gets it and the other takes the next. The marker goes when the push has ended.
A push that was killed leaves its marker and a folder without `saved_model.pb`; the next push
removes both if the killed one ran on the same machine, and otherwise an hour after its last sign of
life, since from another machine a killed push looks like a slow one.
"""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from components.errors import ComponentError
from components.fingerprint import WARMUP_FOLDER, model_digest
from components.object_store import (
    Location,
    ObjectStore,
    ObjectStoreError,
    StoredObject,
    discard_state,
    download_folder,
)
from components.object_store.store import in_parallel
from components.object_store.upload import check_sizes, list_files, upload_files
from components.serving_folder import ServedVersion

ABANDONED_AFTER_S: Final = 3600
"""Seconds after which a push of another machine that writes nothing counts as killed."""

_MODEL: Final = "saved_model.pb"
_MARKERS: Final = ".pushes"


class ServingStoreError(ComponentError):
    """The serving folder in an object store cannot be used; the message says why."""


class ServingStore:
    """A `ServingPlace` in an object store.

    Args:
        destination: URI of the folder.

    Raises:
        ServingStoreError: In each method, where the store cannot be used.
    """

    def __init__(self, destination: str) -> None:
        with _named():
            self._store = ObjectStore(Location.parse(destination))

    def newest(self) -> ServedVersion | None:
        """See `ServingPlace`."""
        with _named():
            versions = _group_by_version(self._store.list_objects().values())
        complete = [version for version, objects in versions.items() if _MODEL in objects]
        return self._served(max(complete)) if complete else None

    def digest(self, served: ServedVersion) -> str:
        """See `ServingPlace`; noted with `saved_model.pb`, else the version is downloaded.

        The note says what the other files were like: it counts as long as they are the same. The
        note itself goes where anybody puts another `saved_model.pb`.
        """
        with _named():
            note = self._store.read_note(f"{served.version}/{_MODEL}")
            objects = _named_from(self._store.list_objects(str(served.version)).values())
        noted = json.loads(note) if note else {}
        if noted.get("files") == _summarize(objects):
            return str(noted["model"])
        with tempfile.TemporaryDirectory() as folder:
            self.copy(served, Path(folder) / "model")
            return model_digest(Path(folder) / "model")

    def copy(self, served: ServedVersion, target: Path) -> None:
        """See `ServingPlace`."""
        with _named():
            download_folder(
                str(served.path), target, lambda name: name.split("/")[0] != WARMUP_FOLDER
            )
        discard_state(target)

    def add(self, model: Path, prepare: Callable[[Path], None]) -> ServedVersion:
        """See `ServingPlace`."""
        with tempfile.TemporaryDirectory() as folder, _named():
            copy = Path(folder) / "model"
            shutil.copytree(model, copy)
            prepare(copy)
            versions = self._remove_abandoned()
            version = self._claim(max(int(time.time()), *(n + 1 for n in versions), 1))
            self._upload(copy, version)
            self._store.remove(_marker(version))
            return self._served(version)

    def _served(self, version: int) -> ServedVersion:
        return ServedVersion(version, str(self._store.location.join(str(version))))

    def _claim(self, version: int) -> int:
        """Takes the first number from this one on that nobody has."""
        content = json.dumps([*_process(), uuid.uuid4().hex]).encode()
        while True:
            if self._store.create(_marker(version), content):
                # Another push may have ended, and removed its marker, since the listing.
                if not self._store.list_objects(str(version)):
                    return version
                self._store.remove(_marker(version))
            version += 1

    def _upload(self, copy: Path, version: int) -> None:
        files = {f"{version}/{name}": path for name, path in list_files(copy).items()}
        model = files.pop(f"{version}/{_MODEL}")
        upload_files(self._store, files)
        check_sizes(self._store, files, str(version))
        objects = _named_from(self._store.list_objects(str(version)).values())
        note = json.dumps({"model": model_digest(copy), "files": _summarize(objects)})
        name = f"{version}/{_MODEL}"
        self._store.upload(name, model, note)
        try:
            check_sizes(self._store, {**files, name: model}, str(version))
        except ObjectStoreError:
            # Somebody took this push for a killed one.
            self._store.remove(name)
            raise

    def _remove_abandoned(self) -> list[int]:
        """Removes what killed pushes left behind; returns the numbers that are taken."""
        objects = self._store.list_objects()
        versions = _group_by_version(objects.values())
        markers = {
            int(name.partition("/")[2]): each
            for name, each in objects.items()
            if name.startswith(f"{_MARKERS}/") and name.partition("/")[2].isdecimal()
        }
        for version, marker in markers.items():
            left = versions.get(version, {})
            if not self._is_abandoned(marker, left.values()):
                continue
            if _MODEL not in left:
                in_parallel(self._store.remove, [each.name for each in left.values()])
            self._store.remove(marker.name)
        return [*versions, *markers]

    def _is_abandoned(self, marker: StoredObject, left: Iterable[StoredObject]) -> bool:
        if _is_dead(self._store.read(marker.name)):
            return True
        last_sign = max(each.written for each in (marker, *left))
        return time.time() - last_sign > ABANDONED_AFTER_S


def _marker(version: int) -> str:
    return f"{_MARKERS}/{version}"


def _group_by_version(objects: Iterable[StoredObject]) -> dict[int, dict[str, StoredObject]]:
    """Objects by the number of their version and their name within it."""
    versions: dict[int, dict[str, StoredObject]] = {}
    for each in objects:
        version, _, name = each.name.partition("/")
        if version.isdecimal() and version == str(int(version)) and name:
            versions.setdefault(int(version), {})[name] = each
    return versions


def _named_from(objects: Iterable[StoredObject]) -> dict[str, StoredObject]:
    """The objects of one version by their name within it."""
    return {each.name.partition("/")[2]: each for each in objects}


def _summarize(objects: dict[str, StoredObject]) -> str:
    """Digest of the names, sizes and tags of a version's files, but for `saved_model.pb`."""
    lines = sorted(f"{n}\0{o.size}\0{o.tag}" for n, o in objects.items() if n != _MODEL)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _process() -> tuple[str, int, str]:
    """Machine, process and the moment that process began."""
    return (_machine(), os.getpid(), _begin(os.getpid()))


def _machine() -> str:
    """Another one for each machine, boot and container."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"


def _begin(process: int) -> str:
    # The second field is the command in parentheses, which may hold anything.
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]


def _is_dead(marker: bytes) -> bool:
    """Whether the process that wrote a marker was one of this machine and is no more."""
    machine, process, begin, _ = json.loads(marker)
    if machine != _machine():
        return False
    with contextlib.suppress(OSError):
        return _begin(process) != begin
    return True


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except ObjectStoreError as error:
        raise ServingStoreError(f"push.destination: {error}") from error
