"""Serving folders of every kind."""

import os
import shutil
from pathlib import Path

import pytest

from darkroom.storage.object_store import Location, ObjectStore
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
def any_bucket(servers, monkeypatch, tmp_path):
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
def serving(request, any_bucket, tmp_path):
    return any_bucket(request.param) if request.param else Folder(tmp_path / "serving")
