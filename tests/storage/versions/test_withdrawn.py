"""What was taken out of service stays out, in folders and in object stores."""

import os
import shutil
from pathlib import Path

import pytest

from darkroom.storage.errors import StorageError
from darkroom.storage.fingerprint import model_digest
from darkroom.storage.object_store import Location, ObjectStore
from darkroom.storage.versions.place import open_place
from darkroom.storage.versions.withdrawn import explain_withdrawn, withdrawn_name, withdrawn_number
from darkroom.tests.storage.bucket_server import BucketServer
from darkroom.tests.storage.gcs_server import GcsServer


class Folder:
    """A serving folder of this machine, and what an operator does there."""

    def __init__(self, folder):
        self.uri = str(folder)

    def move(self, source, target):
        (Path(self.uri) / source).rename(Path(self.uri) / target)

    def remove(self, name):
        path = Path(self.uri) / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


class Bucket:
    """A serving folder in an object store; what is moved there loses the notes beside it."""

    def __init__(self, server, scheme):
        self.uri = f"{scheme}://bucket/models/digits"
        self._server = server

    def _below(self, name):
        path = f"models/digits/{name}"
        objects = self._server.objects("bucket").items()
        return {key: text for key, text in objects if key == path or key.startswith(f"{path}/")}

    def move(self, source, target):
        for name, content in self._below(source).items():
            moved = name.replace(f"models/digits/{source}", f"models/digits/{target}")
            self._server.put("bucket", moved, content)
        self.remove(source)

    def remove(self, name):
        store = ObjectStore(Location.parse(self.uri))
        for found in self._below(name):
            store.remove(found.removeprefix("models/digits/"))


@pytest.fixture(scope="module")
def servers():
    started = {"s3": BucketServer(), "gs": GcsServer()}
    yield {**started, "minio": started["s3"]}
    for server in started.values():
        server.stop()


@pytest.fixture
def bucket(servers, monkeypatch, tmp_path):
    """Opens an empty bucket of a scheme."""

    def open_bucket(scheme):
        for name in [*os.environ]:
            if name.startswith(("AWS_", "GOOGLE_", "STORAGE_")):
                monkeypatch.delenv(name)
        for name, value in servers[scheme].environment.items():
            monkeypatch.setenv(name, value)
        servers[scheme].create_bucket("bucket")
        return Bucket(servers[scheme], scheme)

    monkeypatch.setenv("DARKROOM_SCRATCH", str(tmp_path / "scratch"))
    return open_bucket


@pytest.fixture(params=["", "s3", "minio", "gs"])
def serving(request, bucket, tmp_path):
    return bucket(request.param) if request.param else Folder(tmp_path / "serving")


def keep(copy: Path) -> None:
    """Prepares nothing."""


def test_a_withdrawn_model_is_known_after_its_copy_was_deleted_too(serving, model):
    place = open_place(serving.uri)
    assert place.withdrawn() == {}
    version = place.add(model, keep).version
    assert place.withdrawn() == {}
    serving.move(str(version), f".{version}.withdrawn")
    assert place.newest() is None
    assert place.withdrawn() == {model_digest(model): version}
    serving.remove(f".{version}.withdrawn")
    assert place.withdrawn() == {model_digest(model): version}


def test_somebody_may_say_that_it_counts_no_more(serving, model):
    place = open_place(serving.uri)
    version = place.add(model, keep).version
    serving.move(str(version), f".{version}.withdrawn")
    assert place.withdrawn()
    serving.move(f".{version}.withdrawn", str(version))
    assert place.withdrawn() == {}
    serving.remove(str(version))
    assert place.withdrawn() == {}, "an emptied place is filled again"
    again = place.add(model, keep).version
    serving.move(str(again), f".{again}.withdrawn")
    assert place.withdrawn()
    serving.remove(f".{again}.withdrawn")
    serving.remove(f".withdrawn/{again}")
    assert place.withdrawn() == {}


@pytest.mark.parametrize("noted", [False, True])
def test_the_number_of_a_withdrawn_version_is_not_given_again(serving, model, noted):
    place = open_place(serving.uri)
    version = place.add(model, keep).version
    # A clock that was ahead, so that the time itself does not lead to another number.
    ahead = version + 10_000
    serving.move(str(version), f".{ahead}.withdrawn")
    if noted:
        place.withdrawn()
        serving.remove(f".{ahead}.withdrawn")
    assert place.add(model, keep).version == ahead + 1


def test_another_model_is_not_held_back_and_odd_names_say_nothing(serving, model):
    place = open_place(serving.uri)
    version = place.add(model, keep).version
    for name in (f"{version}.withdrawn", f".0{version}.withdrawn", ".x.withdrawn", ".7.partial"):
        serving.move(str(version), name)
        assert place.withdrawn() == {}
        serving.move(name, str(version))
    serving.move(str(version), f".{version}.withdrawn")
    (model / "saved_model.pb").write_bytes(b"another graph")
    assert model_digest(model) not in place.withdrawn()


def test_a_version_that_is_still_being_moved_stops_the_push(bucket, model):
    serving = bucket("s3")
    place = open_place(serving.uri)
    version = place.add(model, keep).version
    serving.move(f"{version}/saved_model.pb", f".{version}.withdrawn/saved_model.pb")
    with pytest.raises(StorageError, match="only partly withdrawn") as refused:
        place.withdrawn()
    assert "\n" not in str(refused.value)
    serving.move(str(version), f".{version}.withdrawn")
    assert place.withdrawn() == {model_digest(model): version}


def test_the_digest_comes_with_a_version_that_the_store_moved(bucket, servers, model):
    serving = bucket("s3")
    place = open_place(serving.uri)
    version = place.add(model, keep).version
    files = ObjectStore(Location.parse(serving.uri))._files
    base = f"bucket/models/digits/{version}"
    for name in files.find(base):
        files.mv(name, name.replace(f"/{version}/", f"/.{version}.withdrawn/"))
    servers["s3"].requests.clear()
    assert place.withdrawn() == {model_digest(model): version}
    assert not [request for request in servers["s3"].requests if "bytes=" in request]


def test_a_place_that_cannot_be_noted_in_is_one_line(tmp_path, model):
    place = open_place(str(tmp_path / "serving"))
    version = place.add(model, keep).version
    serving = Folder(tmp_path / "serving")
    serving.move(str(version), f".{version}.withdrawn")
    (tmp_path / "serving" / ".withdrawn").touch()
    with pytest.raises(StorageError, match=r"^push\.destination: cannot write to"):
        place.withdrawn()


def test_names_and_words():
    assert withdrawn_number(withdrawn_name(7)) == 7
    said = explain_withdrawn("models/digits/", 7)
    assert "models/digits/.7.withdrawn to 7" in said
    assert "models/digits/.withdrawn/7" in said
