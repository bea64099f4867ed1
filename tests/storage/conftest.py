"""What the tests of storage share."""

import multiprocessing

import pytest


@pytest.fixture(scope="session")
def processes():
    """Starts processes from one that has imported what takes long and has no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["s3fs", "gcsfs", "darkroom.storage.object_store", "darkroom.storage.versions.place"]
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
