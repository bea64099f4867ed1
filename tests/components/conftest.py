"""What the tests of object stores share: a server, and a bucket for each test."""

import multiprocessing
import os

import pytest

from tests.components.bucket_server import BucketServer


@pytest.fixture(scope="module")
def server():
    started = BucketServer()
    yield started
    started.stop()


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """The server with an empty bucket named `bucket`, and an environment that leads to it."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "GOOGLE_", "STORAGE_")):
            monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DARKROOM_SCRATCH", str(tmp_path / "scratch"))
    server.create_bucket("bucket")
    server.requests.clear()
    yield server
    server.disturb = None


@pytest.fixture(scope="session")
def processes():
    """Starts processes from one that has imported what takes long and has no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["s3fs", "gcsfs", "components.object_store", "components.serving_store"]
    )
    return context


@pytest.fixture
def model(tmp_path):
    """A folder like a SavedModel, of 21 files."""
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph" * 1000)
    for index in range(20):
        (folder / "variables" / f"part-{index}").write_bytes(bytes([index]) * 1000)
    return folder
