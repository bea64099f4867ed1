import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from darkroom.storage.errors import ServingPlaceError
from darkroom.storage.fingerprint import model_digest
from darkroom.storage.versions.folder import ServingFolder


def keep(copy: Path) -> None:
    """Prepares nothing."""


def versions(folder: Path) -> list[Path]:
    return [child for child in folder.iterdir() if child.name.isdecimal()]


def test_a_new_version_is_a_copy_under_the_newest_number(model, tmp_path):
    target = tmp_path / "serving"
    first = ServingFolder(target).add(model, keep)
    second = ServingFolder(target).add(model, keep)
    assert second.number > first.number >= 1_600_000_000
    assert ServingFolder(target).newest() == second
    assert model_digest(second.path) == model_digest(model)


def test_a_poller_sees_whole_versions_only(model, tmp_path):
    target = tmp_path / "serving"
    target.mkdir()
    whole = model_digest(model)
    seen, done = [], threading.Event()

    def poll() -> None:
        while not done.is_set():
            seen.extend(model_digest(version) == whole for version in versions(target))

    def prepare(copy: Path) -> None:
        assert not versions(target), "visible before it was prepared"
        time.sleep(0.2)

    poller = threading.Thread(target=poll)
    poller.start()
    ServingFolder(target).add(model, prepare)
    time.sleep(0.1)
    done.set()
    poller.join()
    assert seen
    assert all(seen)


def test_what_prepare_adds_is_there_when_the_version_appears(model, tmp_path):
    def warm_up(copy: Path) -> None:
        (copy / "assets.extra").mkdir()
        (copy / "assets.extra" / "requests").write_text("warm")

    added = ServingFolder(tmp_path / "serving").add(model, warm_up)
    assert (added.path / "assets.extra" / "requests").read_text() == "warm"
    assert model_digest(added.path) == model_digest(model)


def test_a_failing_push_leaves_nothing(model, tmp_path):
    def fail(copy: Path) -> None:
        raise RuntimeError("no")

    target = tmp_path / "serving"
    with pytest.raises(RuntimeError, match="no"):
        ServingFolder(target).add(model, fail)
    assert not [child for child in target.iterdir() if child.is_dir()]


def hang(copy: Path) -> None:
    (copy.parent / "copied").touch()
    time.sleep(60)


def test_a_killed_push_is_cleaned_up_by_the_next(model, tmp_path):
    target = tmp_path / "serving"
    push = multiprocessing.get_context("fork").Process(
        target=ServingFolder(target).add, args=(model, hang)
    )
    push.start()
    deadline = time.monotonic() + 20
    while not (target / "copied").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(push.pid, signal.SIGKILL)
    push.join()
    assert ServingFolder(target).newest() is None
    assert list(target.glob(".*.partial"))
    added = ServingFolder(target).add(model, keep)
    assert ServingFolder(target).newest() == added
    assert not list(target.glob(".*.partial"))


def test_folders_without_a_model_are_no_version(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "notes").mkdir()
    assert ServingFolder(tmp_path).newest() is None
    assert ServingFolder(tmp_path / "absent").newest() is None


def test_a_place_that_cannot_be_written_is_one_line(model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ServingPlaceError, match=r"push\.destination: cannot write to") as caught:
        ServingFolder(tmp_path / "file").add(model, keep)
    assert "\n" not in str(caught.value)
