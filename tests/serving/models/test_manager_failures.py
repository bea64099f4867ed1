"""What goes wrong while the versions of one model are followed, and how following ends."""

import threading
import time

import pytest

from darkroom.serving.model_server.errors import Code, NotAvailableError, NotFound
from darkroom.serving.model_server.models import memory
from darkroom.serving.model_server.models.loading import LoadPolicy
from darkroom.serving.model_server.models.statuses import State, VersionStatus
from darkroom.serving.model_server.models.versions import VersionPolicy
from darkroom.tests.serving.models.fakes import (
    Echo,
    Gate,
    create,
    following,
    lease,
    put,
    served,
    states,
    take_away,
    wait_until,
)

ONCE = LoadPolicy(poll_wait_seconds=0, max_num_retries=0)


@pytest.fixture(autouse=True)
def _collect_no_garbage(monkeypatch):
    # With TensorFlow in the process, each time takes longer than any of these tests.
    monkeypatch.setattr(memory, "give_back", lambda: None)


def test_failed_load_is_tried_again_as_often_as_configured(tmp_path):
    put(tmp_path, 1, "broken")
    tries = []

    def load(path):
        tries.append(path)
        return Echo(path)

    # Without looking again: the tries have a time of their own.
    policy = LoadPolicy(poll_wait_seconds=0, max_num_retries=2, retry_interval_seconds=0.01)
    with following(tmp_path, policy, load) as manager:
        wait_until(lambda: states(manager) == {1: "END"})
        time.sleep(0.05)
        assert len(tries) == 3


def test_retry_waits_for_its_time_and_delays_no_other_version(tmp_path):
    put(tmp_path, 1, "broken")
    policy = LoadPolicy(poll_wait_seconds=0.01, max_num_retries=5, retry_interval_seconds=3600)
    with following(tmp_path, policy) as manager:
        assert manager.list_statuses() == [
            VersionStatus(1, State.LOADING, Code.INTERNAL, "ValueError: 1 is broken")
        ]
        put(tmp_path, 2)
        wait_until(lambda: states(manager) == {2: "AVAILABLE", 1: "LOADING"})


def test_version_that_was_given_up_is_tried_again_when_its_file_is_replaced(tmp_path):
    put(tmp_path, 1, "broken")
    with following(tmp_path) as manager:
        assert states(manager) == {1: "END"}
        put(tmp_path, 1, "good now")
        wait_until(lambda: served(manager) == [1])


def test_removing_the_newest_version_goes_back(tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2)
    with following(tmp_path) as manager:
        take_away(tmp_path, 2)
        wait_until(lambda: states(manager) == {2: "END", 1: "AVAILABLE"})


def test_emptied_folder_unloads_and_vanished_folder_does_not(tmp_path):
    base_path = tmp_path / "models"
    put(base_path, 1)
    with following(base_path) as manager:
        base_path.rename(tmp_path / "elsewhere")
        time.sleep(0.05)
        assert served(manager) == [1]
        base_path.mkdir()
        wait_until(lambda: states(manager) == {1: "END"})
        with (
            pytest.raises(NotFound, match=r"Servable not found for request: Latest\(m\)"),
            lease(manager),
        ):
            pass


def test_broken_version_that_is_removed_is_no_longer_loading(tmp_path):
    put(tmp_path, 1, "broken")
    with following(tmp_path, LoadPolicy(poll_wait_seconds=0.01, max_num_retries=9)) as manager:
        take_away(tmp_path, 1)
        wait_until(lambda: states(manager) == {1: "END"})
        assert manager.list_statuses()[0].code is Code.NOT_FOUND


def test_folder_that_comes_later_is_followed_unless_it_is_looked_at_once(tmp_path):
    base_path = tmp_path / "later"
    with following(base_path) as manager, following(base_path, ONCE) as once:
        put(base_path, 1)
        manager.wait_until_available(timeout_seconds=20)
        assert served(manager) == [1] and served(once) == []
        once.configure(base_path, VersionPolicy(2))
        wait_until(lambda: served(once) == [1])


def test_waiting_says_why_there_is_nothing(tmp_path):
    with following(tmp_path) as manager:
        with pytest.raises(NotAvailableError, match=f"no version in {tmp_path}"):
            manager.wait_until_available(timeout_seconds=0.01)
        put(tmp_path, 1, "broken")
        started = time.monotonic()
        with pytest.raises(NotAvailableError, match="version 1: ValueError: 1 is broken"):
            manager.wait_until_available(timeout_seconds=60)
        assert time.monotonic() - started < 10


def test_stopped_model_serves_nothing_and_ends_with_its_last_request(tmp_path):
    put(tmp_path, 1)
    manager = create(tmp_path)
    manager.start()
    manager.wait_for_first_look()
    with lease(manager) as loaded:
        manager.stop()
        assert served(manager) == []
        assert not manager.join(0.05)
        assert states(manager) == {1: "UNLOADING"}
    assert manager.join(20)
    assert states(manager) == {1: "END"} and loaded.servable.closed


def test_version_that_served_is_not_said_to_start_by_a_look_that_the_stop_meets(tmp_path):
    looking, stopped = threading.Event(), threading.Event()

    class Pausing(VersionPolicy):
        def choose(self, found):
            if manager.is_available(1):
                looking.set()
                assert stopped.wait(20)
            return super().choose(found)

    put(tmp_path, 1)
    manager = create(tmp_path, versions=Pausing())
    manager.start()
    assert looking.wait(20)
    with lease(manager):
        manager.stop()
        stopped.set()
        assert not manager.join(0.05)
        assert states(manager) == {1: "UNLOADING"}
    assert manager.join(20)


def test_version_that_is_loaded_after_the_stop_never_serves(tmp_path):
    put(tmp_path, 1)
    gate = Gate(1)
    manager = create(tmp_path, load=gate)
    manager.start()
    assert gate.entered[1].wait(20)
    started = time.monotonic()
    manager.stop()
    assert manager.wait_for_first_look() and manager.is_decided()
    assert not manager.join(0.01)
    assert time.monotonic() - started < 1
    gate.opened[1].set()
    assert manager.join(20)
    assert states(manager) == {1: "END"} and gate.loaded[0].closed


def test_only_so_many_versions_load_at_a_time(tmp_path):
    slots = threading.Semaphore(1)
    first, second = Gate(1), Gate(1)
    for name in ("a", "b"):
        put(tmp_path / name, 1)
    managers = [create(tmp_path / "a", load=first, slots=slots)]
    managers.append(create(tmp_path / "b", load=second, slots=slots))
    managers[0].start()
    assert first.entered[1].wait(20)
    managers[1].start()
    wait_until(lambda: states(managers[1]) == {1: "START"})
    assert not second.entered[1].wait(0.05)
    managers[1].stop()
    first.opened[1].set()
    assert managers[1].join(20) and not second.loaded
    managers[0].stop()
    assert managers[0].join(20)


def test_following_survives_an_error_while_looking(tmp_path, monkeypatch):
    manager = create(tmp_path)
    failed = threading.Event()
    work = manager.work

    def fail_once():
        if not failed.is_set():
            failed.set()
            raise RuntimeError("once")
        work()

    monkeypatch.setattr(manager, "work", fail_once)
    manager.start()
    manager.wait_for_first_look()
    assert failed.is_set()
    put(tmp_path, 1)
    manager.wait_until_available(timeout_seconds=10)
    manager.stop()
    assert manager.join(20)


def test_servable_that_cannot_be_closed_ends_all_the_same(tmp_path, caplog):
    class Stubborn(Echo):
        def close(self):
            raise RuntimeError("no")

    put(tmp_path, 1)
    with following(tmp_path, load=Stubborn) as manager:
        take_away(tmp_path, 1)
        wait_until(lambda: states(manager) == {1: "END"})
    assert "closing version 1 failed" in caplog.text
