"""The folder a model server polls, in an object store, which has neither renames nor locks.

`saved_model.pb` of a new version is uploaded after all its other files. TensorFlow Serving finds a
version by the number of its folder and loads it by that file: a version that it meets half uploaded
fails at once (there is no SavedModel yet), the version before it goes on serving, and the load is
tried again every minute, five times by default. So no half model is ever served. Where an upload
may take longer than those minutes, give TensorFlow Serving a higher `--max_num_load_retries`. What
fetches versions from a bucket, such as serving/deploy's fetch_versions.sh, waits for that file too.

A number is taken by a marker, `.pushes/<version>`, made with a conditional write: of two pushes at
the same moment one gets it and the other takes the next. Beside it each push puts a flag under a
name of its own, `.pushes/<version>.<id>`, and then looks for others: where a store ignores the
condition, of two pushes at least the later one sees the other's flag, and who sees one gives way.
Marker and flag go when the push has ended.

A push that was killed leaves both and a folder without `saved_model.pb`; the next push removes them
if the killed one ran on the same machine, and otherwise an hour by the store's clock after its last
sign of life, since from another machine a killed push looks like a slow one. The flag goes first
and the folder is looked at again: a slow push looks for its flag before and after it uploads
`saved_model.pb`, so that either its version stays whole, or it learns that it has lost it.
"""

import contextlib
import hashlib
import json
import os
import random
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from darkroom.storage.errors import ObjectChangedError, ObjectStoreError, ServingPlaceError
from darkroom.storage.fingerprint import WARMUP_FOLDER, list_files, model_digest
from darkroom.storage.object_store import (
    Location,
    ObjectStore,
    StoredObject,
    discard_state,
    download_folder,
)
from darkroom.storage.object_store.names import check_names
from darkroom.storage.object_store.store import in_parallel
from darkroom.storage.object_store.upload import check_sizes, upload_files
from darkroom.storage.serving_folder import ServedVersion
from darkroom.storage.withdrawn import NOTES, withdrawn_name, withdrawn_number

ABANDONED_AFTER_S: Final = 3600
"""Seconds after which a push of another machine that writes nothing counts as killed."""

_MODEL: Final = "saved_model.pb"
_MARKERS: Final = ".pushes"


class _Claim(NamedTuple):
    """A number that a push has taken.

    Attributes:
        version: The number.
        flag: Name of the object that says so, as long as nobody takes the push for a killed one.
        made: When the flag was written, in seconds since 1970 by the store's clock.
    """

    version: int
    flag: str
    made: float


class ServingStore:
    """A `ServingPlace` in an object store.

    Args:
        destination: URI of the folder.

    Raises:
        ServingPlaceError: In each method, where the store cannot be used.
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
        return self._digest(str(served.version))

    def copy(self, served: ServedVersion, target: Path) -> None:
        """See `ServingPlace`."""
        self._copy(str(served.version), target)

    def withdrawn(self) -> dict[str, int]:
        """See `ServingPlace`; a store renames object by object, and half of it is no answer."""
        with _named():
            objects = self._store.list_objects()
            there = _group_by_version(objects.values())
            for version in _withdrawn_numbers(objects):
                if version in there:
                    raise ObjectStoreError(
                        f"{self._store.location.join(withdrawn_name(version))}: version {version} "
                        "is only partly withdrawn, or only partly put back; finish moving it"
                    )
                if f"{NOTES}/{version}" not in objects:
                    digest = self._digest(withdrawn_name(version))
                    self._store.write(f"{NOTES}/{version}", digest.encode())
            return self._read_notes(there)

    def add(self, model: Path, prepare: Callable[[Path], None]) -> ServedVersion:
        """See `ServingPlace`."""
        if not (model / _MODEL).is_file():
            raise ServingPlaceError(
                f"push: {str(model)!r} has no {_MODEL}; push the folder of a SavedModel"
            )
        with _temporary_folder() as folder, _named():
            copy = folder / "model"
            shutil.copytree(model, copy)
            prepare(copy)
            check_names(list_files(copy), self._store.location)
            claim = self._claim(max(int(time.time()), *(n + 1 for n in self._taken()), 1))
            self._remove_abandoned(claim)
            self._upload(copy, claim)
            self._end(claim)
            return self._served(claim.version)

    def _digest(self, folder: str) -> str:
        with _named():
            noted = _parse(self._store.read_note(f"{folder}/{_MODEL}"))
            objects = _named_from(self._store.list_objects(folder).values())
        if isinstance(noted, dict) and noted.get("files") == _summarize(objects):
            return str(noted["model"])
        with _temporary_folder() as temporary:
            self._copy(folder, temporary / "model")
            return model_digest(temporary / "model")

    def _copy(self, folder: str, target: Path) -> None:
        uri = str(self._store.location.join(folder))
        with _named():
            download_folder(uri, target, lambda name: name.split("/")[0] != WARMUP_FOLDER)
        discard_state(target)

    def _read_notes(self, there: Container[int]) -> dict[str, int]:
        """Digest to version of the notes; those of versions that are back in place go."""
        noted = {}
        for version in _noted_numbers(self._store.list_objects(NOTES)):
            if version in there:
                self._store.remove(f"{NOTES}/{version}")
            else:
                noted[self._store.read(f"{NOTES}/{version}").decode().strip()] = version
        return noted

    def _served(self, version: int) -> ServedVersion:
        return ServedVersion(version, str(self._store.location.join(str(version))))

    def _taken(self) -> list[int]:
        objects = self._store.list_objects()
        return [
            *_group_by_version(objects.values()),
            *_group_markers(objects.values()),
            *_withdrawn_numbers(objects),
            *_noted_numbers(objects),
        ]

    def _claim(self, version: int) -> _Claim:
        """Takes the first number from this one on that nobody has."""
        content = json.dumps([*_process(), uuid.uuid4().hex]).encode()
        while True:
            if self._store.create(_marker(version), content):
                claim = self._flag(version, content)
                if claim:
                    return claim
                # The other one may give way too; the next time they should not meet.
                version += random.randrange(8)
            version += 1

    def _flag(self, version: int, content: bytes) -> _Claim | None:
        """Says who takes a number; None where another push does, or has."""
        flag = f"{_marker(version)}.{uuid.uuid4().hex}"
        self._store.write(flag, content)
        markers = self._store.list_objects(_MARKERS)
        others = {name for name in markers if name.startswith(f"{_marker(version)}.")} - {flag}
        # Another push may have ended, and removed its marker, since the listing.
        if not others and not self._store.list_objects(str(version)):
            return _Claim(version, flag, markers[flag].written if flag in markers else 0.0)
        self._store.remove(flag)
        if not others:
            self._store.remove(_marker(version))
        return None

    def _end(self, claim: _Claim) -> None:
        self._store.remove(claim.flag)
        self._store.remove(_marker(claim.version))

    def _upload(self, copy: Path, claim: _Claim) -> None:
        version = claim.version
        files = {f"{version}/{name}": path for name, path in list_files(copy).items()}
        model = files.pop(f"{version}/{_MODEL}")
        upload_files(self._store, files)
        self._check_claim(claim, [*files])
        check_sizes(self._store, files, str(version))
        objects = _named_from(self._store.list_objects(str(version)).values())
        note = json.dumps({"model": model_digest(copy), "files": _summarize(objects)})
        name = f"{version}/{_MODEL}"
        self._store.upload(name, model, note)
        self._check_claim(claim, [name, *files])
        try:
            check_sizes(self._store, {**files, name: model}, str(version))
        except ObjectStoreError:
            self._store.remove(name)
            raise

    def _check_claim(self, claim: _Claim, uploaded: Sequence[str]) -> None:
        """Refuses to go on where somebody took this push for a killed one; undoes what it did."""
        markers = self._store.list_objects(_MARKERS)
        if claim.flag in markers:
            return
        if not any(name.startswith(f"{_marker(claim.version)}.") for name in markers):
            self._undo(claim.version, uploaded)
        raise ObjectStoreError(
            f"{self._store.location.join(str(claim.version))}: another push took this one for a "
            "killed one, since nothing was heard of it for an hour, and removed it; push again"
        )

    def _undo(self, version: int, uploaded: Sequence[str]) -> None:
        """Removes what was uploaded, the model first; nothing where the model is another's."""
        model = f"{version}/{_MODEL}"
        if model in uploaded:
            self._store.remove(model)
        elif model in self._store.list_objects(str(version)):
            return
        in_parallel(self._store.remove, [name for name in uploaded if name != model])

    def _remove_abandoned(self, claim: _Claim) -> None:
        """Removes what killed pushes left behind.

        Their flags go first: a push that was only slow sees it before and after it uploads
        `saved_model.pb`. A marker goes last: where a kill comes before, the next push goes on.
        """
        objects = self._store.list_objects()
        versions = _group_by_version(objects.values())
        for version, markers in _group_markers(objects.values()).items():
            left = versions.get(version, {})
            if version == claim.version or not self._is_abandoned(markers, left.values(), claim):
                continue
            flags = [each.name for each in markers if each.name != _marker(version)]
            in_parallel(self._store.remove, flags)
            there = self._store.list_objects(str(version))
            if f"{version}/{_MODEL}" not in there:
                in_parallel(self._store.remove, there)
            self._store.remove(_marker(version))

    def _is_abandoned(
        self, markers: Sequence[StoredObject], left: Iterable[StoredObject], claim: _Claim
    ) -> bool:
        try:
            if all(_is_dead(self._store.read(each.name)) for each in markers):
                return True
        except ObjectChangedError:
            # That push has ended since the listing.
            return False
        last_sign = max(each.written for each in (*markers, *left))
        return claim.made - last_sign > ABANDONED_AFTER_S


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


def _group_markers(objects: Iterable[StoredObject]) -> dict[int, list[StoredObject]]:
    """Markers and flags of pushes by their number."""
    markers: dict[int, list[StoredObject]] = {}
    for each in objects:
        folder, _, name = each.name.partition("/")
        version = name.partition(".")[0]
        if folder == _MARKERS and version.isdecimal() and version == str(int(version)):
            markers.setdefault(int(version), []).append(each)
    return markers


def _withdrawn_numbers(names: Iterable[str]) -> list[int]:
    """Versions whose SavedModel has the name of a withdrawn one."""
    folders = (name.removesuffix(f"/{_MODEL}") for name in names)
    return [version for version in map(withdrawn_number, folders) if version]


def _noted_numbers(names: Iterable[str]) -> list[int]:
    """Versions with a note that they were withdrawn."""
    found = (name.removeprefix(f"{NOTES}/") for name in names if name.startswith(f"{NOTES}/"))
    return [int(number) for number in found if number.isdecimal()]


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
    match _parse(marker):
        case [machine, int(process), begin, _] if machine == _machine():
            with contextlib.suppress(OSError):
                return _begin(process) != begin
            return True
    return False


def _parse(text: str | bytes) -> Any:
    """The JSON in it; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except OSError as error:
        raise ServingPlaceError(
            f"push: the model cannot be copied to the temporary files ({_reason(error)}); make "
            "room there, set TMPDIR to a larger disk, or mend the model's folder"
        ) from error


def _reason(error: OSError) -> str:
    """Why; what copies folders collects an error for each file."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        source, _, why = error.args[0][0]
        return " ".join(f"{source!r}: {why}".split())
    return error.strerror or str(error)


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except ObjectStoreError as error:
        raise ServingPlaceError(f"push.destination: {error}") from error
