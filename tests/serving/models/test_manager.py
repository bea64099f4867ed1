"""Following versions, on servables that need no TensorFlow."""

import threading
import time

import pytest

from serving.model_server.errors import Code, NotAvailableError, NotFound
from serving.model_server.models.manager import LoadPolicy, ModelManager
from serving.model_server.models.statuses import State, StatusBoard, VersionStatus

NO_RETRY = LoadPolicy(poll_wait_seconds=0, max_num_retries=0)


class Echo:
    """A servable that says which folder it came from."""

    signature_defs: dict = {}

    def __init__(self, path):
        if (path / "saved_model.pb").read_text() == "broken":
            raise ValueError(f"{path.name} is broken")
        self.path = path

    async def run(self, signature_name, inputs):
        return {}

    def close(self):
        self.closed = True


def put(base_path, version, content="good"):
    folder = base_path / str(version)
    folder.mkdir(exist_ok=True)
    (folder / "saved_model.pb").write_text(content)


def create(base_path, policy=NO_RETRY, load=Echo):
    return ModelManager("m", base_path, load, policy)


def served(manager, version=None):
    with manager.lease(version) as loaded:
        return loaded.version


def states(manager):
    return {status.version: status.state.name for status in manager.list_statuses()}


def test_newest_version_is_served_by_number_and_as_latest(tmp_path):
    for version in (2, 10, 9):
        put(tmp_path, version)
    manager = create(tmp_path)
    manager.start()
    assert served(manager) == served(manager, 10) == 10
    assert states(manager) == {10: "AVAILABLE"}
    with pytest.raises(NotFound, match=r"Servable not found for request: Specific\(m, 9\)"):
        served(manager, 9)


def test_what_is_no_version_is_passed_over(tmp_path):
    put(tmp_path, 1)
    for name in ("7.tmp", "-8", "x", "²", "99999999999999999999"):
        put(tmp_path, name)
    (tmp_path / "9").mkdir()
    (tmp_path / "8").write_text("a file")
    manager = create(tmp_path)
    manager.start()
    assert served(manager) == 1


def test_new_version_replaces_the_old_one(tmp_path):
    put(tmp_path, 1)
    manager = create(tmp_path)
    manager.start()
    put(tmp_path, 2)
    manager.poll()
    assert served(manager) == 2
    assert states(manager) == {2: "AVAILABLE", 1: "END"}


def test_old_version_ends_with_its_last_request(tmp_path):
    put(tmp_path, 1)
    manager = create(tmp_path)
    manager.start()
    with manager.lease() as first, manager.lease() as second:
        put(tmp_path, 2)
        manager.poll()
        assert first.version == second.version == 1
        assert first.servable.path.name == "1"
        assert served(manager) == 2
        assert states(manager) == {2: "AVAILABLE", 1: "UNLOADING"}
    assert states(manager)[1] == "END"


def test_broken_version_is_skipped_and_reported(tmp_path):
    put(tmp_path, 1)
    manager = create(tmp_path)
    manager.start()
    put(tmp_path, 2, "broken")
    manager.poll()
    assert served(manager) == 1
    assert manager.list_statuses()[0] == VersionStatus(
        2, State.END, Code.INTERNAL, "ValueError: 2 is broken"
    )
    put(tmp_path, 3)
    manager.poll()
    assert served(manager) == 3


def test_broken_newest_version_at_the_start_leaves_the_one_before(tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2, "broken")
    manager = create(tmp_path)
    manager.start()
    assert served(manager) == 1


def test_failed_load_is_tried_again_as_often_as_configured(tmp_path):
    put(tmp_path, 1, "broken")
    tries = []

    def load(path):
        tries.append(path)
        return Echo(path)

    policy = LoadPolicy(poll_wait_seconds=0, max_num_retries=2, retry_interval_seconds=0)
    manager = create(tmp_path, policy, load)
    seen = []
    for _ in range(5):
        manager.poll()
        seen.append((len(tries), states(manager)[1]))
    assert seen == [(1, "LOADING"), (2, "LOADING"), (3, "END"), (3, "END"), (3, "END")]


def test_retry_waits_for_its_time(tmp_path):
    put(tmp_path, 1, "broken")
    policy = LoadPolicy(poll_wait_seconds=0, max_num_retries=5, retry_interval_seconds=3600)
    manager = create(tmp_path, policy)
    manager.poll()
    put(tmp_path, 2, "broken")
    manager.poll()
    assert states(manager) == {2: "LOADING", 1: "LOADING"}
    assert manager.list_statuses()[0].message == "ValueError: 2 is broken"


def test_version_that_was_given_up_is_tried_again_when_its_file_is_replaced(tmp_path):
    put(tmp_path, 1, "broken")
    manager = create(tmp_path)
    manager.start()
    put(tmp_path, 1, "good now")
    manager.poll()
    assert served(manager) == 1


def test_removing_the_newest_version_goes_back(tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2)
    manager = create(tmp_path)
    manager.start()
    (tmp_path / "2" / "saved_model.pb").unlink()
    manager.poll()
    assert served(manager) == 1
    assert states(manager) == {2: "END", 1: "AVAILABLE"}


def test_emptied_folder_unloads_and_vanished_folder_does_not(tmp_path):
    base_path = tmp_path / "models"
    base_path.mkdir()
    put(base_path, 1)
    manager = create(base_path)
    manager.start()
    base_path.rename(tmp_path / "elsewhere")
    manager.poll()
    assert served(manager) == 1
    base_path.mkdir()
    manager.poll()
    with pytest.raises(NotFound, match=r"Servable not found for request: Latest\(m\)"):
        served(manager)


def test_broken_version_that_is_removed_is_no_longer_loading(tmp_path):
    put(tmp_path, 1, "broken")
    manager = create(tmp_path, LoadPolicy(poll_wait_seconds=0, max_num_retries=9))
    manager.start()
    (tmp_path / "1" / "saved_model.pb").unlink()
    manager.poll()
    (status,) = manager.list_statuses()
    assert (status.state, status.code) == (State.END, Code.NOT_FOUND)


def test_folder_that_comes_later_is_followed(tmp_path):
    base_path = tmp_path / "later"
    manager = create(base_path, LoadPolicy(poll_wait_seconds=0.01))
    manager.start()
    base_path.mkdir()
    put(base_path, 1)
    manager.wait_until_available(timeout_seconds=10)
    assert served(manager) == 1
    manager.stop()
    with pytest.raises(NotFound):
        served(manager)


def test_waiting_says_why_there_is_nothing(tmp_path):
    manager = create(tmp_path)
    manager.start()
    with pytest.raises(NotAvailableError, match=f"no version in {tmp_path}"):
        manager.wait_until_available(timeout_seconds=0.01)
    put(tmp_path, 1, "broken")
    manager.poll()
    started = time.monotonic()
    with pytest.raises(NotAvailableError, match="version 1: ValueError: 1 is broken"):
        manager.wait_until_available(timeout_seconds=60)
    assert time.monotonic() - started < 10


def test_following_survives_an_error_while_looking(tmp_path, monkeypatch):
    manager = create(tmp_path, LoadPolicy(poll_wait_seconds=0.01))
    failed = threading.Event()
    poll = manager.poll

    def fail_once():
        if not failed.is_set():
            failed.set()
            raise RuntimeError("once")
        poll()

    manager.start()
    monkeypatch.setattr(manager, "poll", fail_once)
    assert failed.wait(10)
    put(tmp_path, 1)
    manager.wait_until_available(timeout_seconds=10)
    manager.stop()


def test_board_forgets_the_oldest_ended_versions():
    board = StatusBoard()
    for version in range(StatusBoard.MAX_ENDED + 10):
        board.post(VersionStatus(version, State.END))
    board.post(VersionStatus(1000, State.AVAILABLE))
    versions = [status.version for status in board.list_all()]
    assert len(versions) == StatusBoard.MAX_ENDED + 1
    assert versions[0] == 1000 and versions[-1] == 10
