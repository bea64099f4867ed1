"""The folder a model server polls, in an object store, which has neither renames nor locks.

`saved_model.pb` of a new version is uploaded after all its other files. TensorFlow Serving finds a
version by the number of its folder and loads it by that file: a version that it meets half uploaded
fails at once (there is no SavedModel yet), the version before it goes on serving, and the load is
tried again every minute, five times by default. So no half model is ever served. Where an upload
may take longer than those minutes, give TensorFlow Serving a higher `--max_num_load_retries`. What
fetches versions from a bucket, such as serving/deploy's fetch_versions.sh, waits for that file too.
"""

import contextlib
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path

from darkroom.storage.errors import ObjectStoreError, ServingPlaceError
from darkroom.storage.fingerprint import WARMUP_FOLDER, list_files, model_digest
from darkroom.storage.object_store import (
    Location,
    ObjectStore,
    StoredObject,
    discard_state,
    download_folder,
)
from darkroom.storage.object_store.names import check_names
from darkroom.storage.object_store.upload import check_sizes, upload_files
from darkroom.storage.versions.claims import (
    Claim,
    Claims,
    group_by_version,
    parse_json,
    taken_numbers,
)
from darkroom.storage.versions.served import MODEL_FILE, Version, tell_states
from darkroom.storage.versions.withdrawn import NOTES, withdrawn_name, withdrawn_number


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
        self._claims = Claims(self._store)

    def newest(self) -> Version | None:
        """See `ServingPlace`."""
        with _named():
            versions = group_by_version(self._store.list_objects().values())
        complete = [version for version, objects in versions.items() if MODEL_FILE in objects]
        return self._served(max(complete)) if complete else None

    def versions(self) -> list[Version]:
        """See `ServingPlace`."""
        with _named():
            names = self._store.list_objects()
        ending = f"/{MODEL_FILE}"
        models = (name.removesuffix(ending) for name in names if name.endswith(ending))
        return tell_states(
            lambda name: str(self._store.location.join(name)),
            (name for name in models if "/" not in name),
        )

    def read(self, version: Version, name: str) -> bytes | None:
        """See `ServingPlace`."""
        wanted = f"{_folder_name(version)}/{name}"
        with _named():
            there = wanted in self._store.list_objects(_folder_name(version))
            return self._store.read(wanted) if there else None

    def withdraw(self, number: int) -> None:
        """See `ServingPlace`; nobody takes what is left of it, without its model, for a version."""
        self._move(str(number), withdrawn_name(number), first=MODEL_FILE)

    def put_back(self, number: int) -> None:
        """See `ServingPlace`; the model goes last, as in a push."""
        self._move(withdrawn_name(number), str(number), last=MODEL_FILE)
        with _named():
            self._store.remove(f"{NOTES}/{number}")

    def remove(self, version: Version) -> None:
        """See `ServingPlace`; the model goes first."""
        folder = _folder_name(version)
        with _named():
            self._store.remove(f"{folder}/{MODEL_FILE}")
            for name in self._store.list_objects(folder):
                self._store.remove(name)

    def digest(self, version: Version) -> str:
        """See `ServingPlace`; noted with `saved_model.pb`, else the version is downloaded.

        The note says what the other files were like: it counts as long as they are the same. The
        note itself goes where anybody puts another `saved_model.pb`.
        """
        return self._digest(str(version.number))

    def copy(self, version: Version, target: Path) -> None:
        """See `ServingPlace`."""
        self._copy(str(version.number), target)

    def withdrawn(self) -> dict[str, int]:
        """See `ServingPlace`; a store renames object by object, and half of it is no answer."""
        with _named():
            objects = self._store.list_objects()
            there = group_by_version(objects.values())
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

    def add(self, model: Path, prepare: Callable[[Path], None]) -> Version:
        """See `ServingPlace`."""
        if not (model / MODEL_FILE).is_file():
            raise ServingPlaceError(
                f"push: {str(model)!r} has no {MODEL_FILE}; push the folder of a SavedModel"
            )
        with _temporary_folder() as folder, _named():
            copy = folder / "model"
            shutil.copytree(model, copy)
            prepare(copy)
            check_names(list_files(copy), self._store.location)
            claim = self._claims.take(max(int(time.time()), *(n + 1 for n in self._taken()), 1))
            self._claims.remove_abandoned(claim)
            self._upload(copy, claim)
            self._claims.end(claim)
            return self._served(claim.version)

    def _digest(self, folder: str) -> str:
        with _named():
            noted = parse_json(self._store.read_note(f"{folder}/{MODEL_FILE}"))
            objects = _named_from(self._store.list_objects(folder).values())
        if isinstance(noted, dict) and noted.get("files") == _summarize(objects):
            return str(noted["model"])
        with _temporary_folder() as temporary:
            self._copy(folder, temporary / "model")
            return model_digest(temporary / "model")

    def _move(self, folder: str, target: str, first: str = "", last: str = "") -> None:
        """Moves a version object by object; where it was cut short, the next call goes on."""
        with _named():
            names = [name.partition("/")[2] for name in self._store.list_objects(folder)]
            for name in sorted(names, key=lambda name: (name == last, name != first)):
                self._store.move(f"{folder}/{name}", f"{target}/{name}")

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

    def _served(self, number: int) -> Version:
        return Version(number, "served", str(self._store.location.join(str(number))))

    def _taken(self) -> list[int]:
        objects = self._store.list_objects()
        return [
            *taken_numbers(objects.values()),
            *_withdrawn_numbers(objects),
            *_noted_numbers(objects),
        ]

    def _upload(self, copy: Path, claim: Claim) -> None:
        version = claim.version
        files = {f"{version}/{name}": path for name, path in list_files(copy).items()}
        model = files.pop(f"{version}/{MODEL_FILE}")
        upload_files(self._store, files)
        self._claims.check(claim, [*files])
        check_sizes(self._store, files, str(version))
        objects = _named_from(self._store.list_objects(str(version)).values())
        note = json.dumps({"model": model_digest(copy), "files": _summarize(objects)})
        name = f"{version}/{MODEL_FILE}"
        self._store.upload(name, model, note)
        self._claims.check(claim, [name, *files])
        try:
            check_sizes(self._store, {**files, name: model}, str(version))
        except ObjectStoreError:
            self._store.remove(name)
            raise


def _folder_name(version: Version) -> str:
    return str(version.path).rpartition("/")[2]


def _withdrawn_numbers(names: Iterable[str]) -> list[int]:
    """Versions whose SavedModel has the name of a withdrawn one."""
    folders = (name.removesuffix(f"/{MODEL_FILE}") for name in names)
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
    lines = sorted(f"{n}\0{o.size}\0{o.tag}" for n, o in objects.items() if n != MODEL_FILE)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


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
