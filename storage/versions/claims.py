"""Numbers of versions that pushes have taken, in an object store, which has no locks.

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
import json
import os
import random
import socket
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from darkroom.storage.errors import ObjectChangedError, ObjectStoreError
from darkroom.storage.object_store import ObjectStore, StoredObject
from darkroom.storage.object_store.store import in_parallel
from darkroom.storage.versions.served import MODEL_FILE

ABANDONED_AFTER_S: Final = 3600
"""Seconds after which a push of another machine that writes nothing counts as killed."""

_MARKERS: Final = ".pushes"


class Claim(NamedTuple):
    """A number that a push has taken.

    Attributes:
        flag: Name of the object that says so, as long as nobody takes the push for a killed one.
        made: When the flag was written, in seconds since 1970 by the store's clock.
    """

    version: int
    flag: str
    made: float


class Claims:
    """What the pushes into one place have taken.

    Raises:
        ObjectStoreError: In each method, where the store cannot be used.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def take(self, version: int) -> Claim:
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

    def end(self, claim: Claim) -> None:
        """Says that a push has ended."""
        self._store.remove(claim.flag)
        self._store.remove(_marker(claim.version))

    def check(self, claim: Claim, uploaded: Sequence[str]) -> None:
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

    def remove_abandoned(self, claim: Claim) -> None:
        """Removes what killed pushes left behind.

        Their flags go first: a push that was only slow sees it before and after it uploads
        `saved_model.pb`. A marker goes last: where a kill comes before, the next push goes on.
        """
        objects = self._store.list_objects()
        versions = group_by_version(objects.values())
        for version, markers in _group_markers(objects.values()).items():
            left = versions.get(version, {})
            if version == claim.version or not self._is_abandoned(markers, left.values(), claim):
                continue
            flags = [each.name for each in markers if each.name != _marker(version)]
            in_parallel(self._store.remove, flags)
            there = self._store.list_objects(str(version))
            if f"{version}/{MODEL_FILE}" not in there:
                in_parallel(self._store.remove, there)
            self._store.remove(_marker(version))

    def _flag(self, version: int, content: bytes) -> Claim | None:
        """Says who takes a number; None where another push does, or has."""
        flag = f"{_marker(version)}.{uuid.uuid4().hex}"
        self._store.write(flag, content)
        markers = self._store.list_objects(_MARKERS)
        others = {name for name in markers if name.startswith(f"{_marker(version)}.")} - {flag}
        # Another push may have ended, and removed its marker, since the listing.
        if not others and not self._store.list_objects(str(version)):
            return Claim(version, flag, markers[flag].written if flag in markers else 0.0)
        self._store.remove(flag)
        if not others:
            self._store.remove(_marker(version))
        return None

    def _undo(self, version: int, uploaded: Sequence[str]) -> None:
        """Removes what was uploaded, the model first; nothing where the model is another's."""
        model = f"{version}/{MODEL_FILE}"
        if model in uploaded:
            self._store.remove(model)
        elif model in self._store.list_objects(str(version)):
            return
        in_parallel(self._store.remove, [name for name in uploaded if name != model])

    def _is_abandoned(
        self, markers: Sequence[StoredObject], left: Iterable[StoredObject], claim: Claim
    ) -> bool:
        try:
            if all(_is_dead(self._store.read(each.name)) for each in markers):
                return True
        except ObjectChangedError:
            # That push has ended since the listing.
            return False
        last_sign = max(each.written for each in (*markers, *left))
        return claim.made - last_sign > ABANDONED_AFTER_S


def taken_numbers(objects: Iterable[StoredObject]) -> list[int]:
    """Numbers that have a version, whole or not, or a marker."""
    found = list(objects)
    return [*group_by_version(found), *_group_markers(found)]


def group_by_version(objects: Iterable[StoredObject]) -> dict[int, dict[str, StoredObject]]:
    """Objects by the number of their version and their name within it."""
    versions: dict[int, dict[str, StoredObject]] = {}
    for each in objects:
        number, _, name = each.name.partition("/")
        if name and _is_number(number):
            versions.setdefault(int(number), {})[name] = each
    return versions


def parse_json(text: str | bytes) -> Any:
    """The JSON in it; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _group_markers(objects: Iterable[StoredObject]) -> dict[int, list[StoredObject]]:
    """Markers and flags of pushes by their number."""
    markers: dict[int, list[StoredObject]] = {}
    for each in objects:
        folder, _, name = each.name.partition("/")
        number = name.partition(".")[0]
        if folder == _MARKERS and _is_number(number):
            markers.setdefault(int(number), []).append(each)
    return markers


def _is_number(text: str) -> bool:
    return text.isdecimal() and text == str(int(text))


def _marker(version: int) -> str:
    return f"{_MARKERS}/{version}"


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
    match parse_json(marker):
        case [machine, int(process), begin, _] if machine == _machine():
            with contextlib.suppress(OSError):
                return _begin(process) != begin
            return True
    return False
