"""Following the versions of one model, on servables that need no TensorFlow."""

import contextlib
import threading
import time

import pytest

from serving.model_server.errors import Code, NotAvailableError, NotFound
from serving.model_server.models import memory
from serving.model_server.models.loading import LoadPolicy
from serving.model_server.models.statuses import State, StatusBoard, VersionStatus
from serving.model_server.models.versions import All, Latest, Specific
from tests.serving.models.fakes import (
    NO_RETRY,
    Echo,
    Gate,
    create,
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


@contextlib.contextmanager
def following(base_path, policy=NO_RETRY, load=Echo, **options):
    manager = create(base_path, policy, load, **options)
    manager.start()
    try:
        yield manager
    finally:
        manager.stop()
        assert manager.join(20)


def test_newest_version_is_served_by_number_and_as_latest(tmp_path):
    for version in (2, 10, 9):
        put(tmp_path, version)
    with following(tmp_path) as manager:
        for version in (None, 10):
            with manager.lease(version) as loaded:
                assert loaded.version == 10
        assert states(manager) == {10: "AVAILABLE"}
        with (
            pytest.raises(NotFound, match=r"Servable not found for request: Specific\(m, 9\)"),
            manager.lease(9),
        ):
            pass


def test_what_is_no_version_is_passed_over(tmp_path):
    put(tmp_path, 1)
    for name in ("7.tmp", "-8", "x", "²", "99999999999999999999"):
        put(tmp_path, name)
    (tmp_path / "9").mkdir()
    (tmp_path / "8").write_text("a file")
    with following(tmp_path, versions=All()) as manager:
        assert served(manager) == [1]


def test_folder_with_another_kind_of_model_is_a_version_where_it_is_asked_for(tmp_path):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "model.tflite").touch()
    loaded = []
    policy = LoadPolicy(poll_wait_seconds=0, model_files=("saved_model.pb", "model.tflite"))
    with following(tmp_path, policy, load=loaded.append) as manager:
        assert served(manager) == [3] and loaded == [tmp_path / "3"]


def test_new_version_replaces_the_old_one(tmp_path):
    put(tmp_path, 1)
    with following(tmp_path) as manager:
        put(tmp_path, 2)
        wait_until(lambda: states(manager) == {2: "AVAILABLE", 1: "END"})
        assert served(manager) == [2]


def test_old_version_answers_while_the_new_one_loads(tmp_path):
    put(tmp_path, 1)
    gate = Gate(2)
    with following(tmp_path, load=gate) as manager:
        put(tmp_path, 2)
        assert gate.entered[2].wait(20)
        assert served(manager) == [1]
        assert states(manager) == {2: "LOADING", 1: "AVAILABLE"}
        gate.opened[2].set()
        wait_until(lambda: served(manager) == [2])


def test_old_version_ends_with_its_last_request(tmp_path):
    put(tmp_path, 1)
    with following(tmp_path) as manager:
        with manager.lease() as first, manager.lease() as second:
            put(tmp_path, 2)
            wait_until(lambda: served(manager) == [2])
            assert first.version == second.version == 1
            assert not first.servable.closed
            assert states(manager) == {2: "AVAILABLE", 1: "UNLOADING"}
        wait_until(lambda: states(manager)[1] == "END")
        assert first.servable.closed


def test_version_that_comes_back_while_its_last_request_runs_is_another_one(tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2)
    with following(tmp_path) as manager:
        with manager.lease(2) as first:
            take_away(tmp_path, 2)
            wait_until(lambda: served(manager) == [1])
            put(tmp_path, 2)
            wait_until(lambda: served(manager) == [2])
            with manager.lease(2) as second:
                assert second.servable is not first.servable
        wait_until(lambda: first.servable.closed)
        assert states(manager)[2] == "AVAILABLE"
        assert not second.servable.closed


def test_broken_version_is_skipped_and_reported(tmp_path):
    put(tmp_path, 1)
    with following(tmp_path) as manager:
        put(tmp_path, 2, "broken")
        failed = VersionStatus(2, State.END, Code.INTERNAL, "ValueError: 2 is broken")
        wait_until(lambda: manager.list_statuses()[0] == failed)
        assert served(manager) == [1]
        put(tmp_path, 3)
        wait_until(lambda: served(manager) == [3])


def test_broken_newest_version_at_the_start_leaves_the_one_before(tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2, "broken")
    with following(tmp_path) as manager:
        assert served(manager) == [1]


def test_latest_two_are_served_at_once_and_move_on_together(tmp_path):
    for version in (1, 2, 3):
        put(tmp_path, version)
    with following(tmp_path, versions=Latest(2)) as manager:
        assert served(manager) == [3, 2]
        put(tmp_path, 4, "broken")
        wait_until(lambda: states(manager).get(4) == "END")
        assert served(manager) == [3, 2]
        put(tmp_path, 5)
        wait_until(lambda: served(manager) == [5, 3])
        wait_until(lambda: states(manager)[2] == "END")


def test_latest_two_of_which_one_is_broken_take_the_one_below(tmp_path):
    for version, content in ((1, "good"), (2, "broken"), (3, "good")):
        put(tmp_path, version, content)
    with following(tmp_path, versions=Latest(2)) as manager:
        assert served(manager) == [3, 1]


def test_all_versions_are_served_but_for_the_broken_one(tmp_path):
    for version, content in ((1, "good"), (2, "broken"), (3, "good")):
        put(tmp_path, version, content)
    with following(tmp_path, versions=All()) as manager:
        assert served(manager) == [3, 1]
        put(tmp_path, 4)
        take_away(tmp_path, 1)
        wait_until(lambda: served(manager) == [4, 3])


def test_specific_versions_and_no_others_are_served(tmp_path, caplog):
    for version in (1, 2, 3):
        put(tmp_path, version)
    with following(tmp_path, versions=Specific(frozenset({1, 3, 7, 8}))) as manager:
        assert served(manager) == [3, 1]
        put(tmp_path, 9)
        put(tmp_path, 7)
        wait_until(lambda: served(manager) == [7, 3, 1])
    assert f"version 7, 8 is asked for and not in {tmp_path}" in caplog.messages[0]


def test_broken_specific_version_is_not_replaced_by_another(tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2, "broken")
    with following(tmp_path, versions=Specific(frozenset({2}))) as manager:
        assert served(manager) == []
        assert states(manager) == {2: "END"}


def test_policy_changes_while_serving(tmp_path):
    for version in (1, 2, 3):
        put(tmp_path, version)
    with following(tmp_path) as manager:
        manager.configure(tmp_path, All())
        wait_until(lambda: served(manager) == [3, 2, 1])
        manager.configure(tmp_path, Specific(frozenset({1})))
        wait_until(lambda: states(manager) == {3: "END", 2: "END", 1: "AVAILABLE"})
        manager.configure(tmp_path, Latest(2))
        wait_until(lambda: served(manager) == [3, 2])


def test_what_serves_stays_until_what_is_wanted_instead_is_loaded(tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2)
    put(tmp_path, 3, "broken")
    gate = Gate(1)
    with following(tmp_path, load=gate, versions=Specific(frozenset({2}))) as manager:
        manager.configure(tmp_path, Specific(frozenset({1, 3})))
        assert gate.entered[1].wait(20)
        assert served(manager) == [2]
        gate.opened[1].set()
        wait_until(lambda: served(manager) == [1])
        manager.configure(tmp_path, Specific(frozenset({3})))
        wait_until(lambda: states(manager)[3] == "END")
        time.sleep(0.05)
        assert served(manager) == [1]


def test_policy_that_changes_during_a_load_is_followed_next(tmp_path):
    for version in (1, 2, 3):
        put(tmp_path, version)
    gate = Gate(2)
    with following(tmp_path, load=gate, versions=Specific(frozenset({3}))) as manager:
        manager.configure(tmp_path, Specific(frozenset({1, 2})))
        assert gate.entered[2].wait(20)
        manager.configure(tmp_path, Specific(frozenset({3})))
        gate.opened[2].set()
        wait_until(lambda: states(manager).get(2) == "END")
        assert served(manager) == [3]
        assert [s.path.name for s in gate.loaded] == ["3", "2"]


def test_wanting_what_is_not_there_unloads_as_tensorflow_serving_does(tmp_path):
    put(tmp_path, 1)
    with following(tmp_path) as manager:
        manager.configure(tmp_path, Specific(frozenset({5})))
        wait_until(lambda: states(manager) == {1: "END"})


def test_other_folder_with_the_same_number_leaves_what_is_loaded(tmp_path):
    put(tmp_path / "a", 1, "from a")
    put(tmp_path / "b", 1, "from b")
    put(tmp_path / "b", 2, "from b")
    with following(tmp_path / "a") as manager:
        manager.configure(tmp_path / "b", All())
        wait_until(lambda: served(manager) == [2, 1])
        with manager.lease(1) as first, manager.lease(2) as second:
            assert (first.servable.content, second.servable.content) == ("from a", "from b")


def test_folder_that_is_not_there_leaves_what_is_served(tmp_path, caplog):
    put(tmp_path / "a", 1)
    with following(tmp_path / "a") as manager:
        manager.configure(tmp_path / "b", Latest())
        wait_until(lambda: "cannot read" in caplog.text)
        assert served(manager) == [1]
        put(tmp_path / "b", 2)
        wait_until(lambda: served(manager) == [2])


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
            manager.lease(),
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
        once.configure(base_path, Latest(2))
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
    with manager.lease() as loaded:
        manager.stop()
        assert served(manager) == []
        assert not manager.join(0.05)
        assert states(manager) == {1: "UNLOADING"}
    assert manager.join(20)
    assert states(manager) == {1: "END"} and loaded.servable.closed


def test_version_that_is_loaded_after_the_stop_never_serves(tmp_path):
    put(tmp_path, 1)
    gate = Gate(1)
    manager = create(tmp_path, load=gate)
    manager.start(wait=False)
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
    managers[0].start(wait=False)
    assert first.entered[1].wait(20)
    managers[1].start(wait=False)
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


def test_loads_are_counted_and_their_seconds_logged(tmp_path, caplog):
    loads = []

    class Metrics:
        def observe_load(self, model_name, version, seconds, ok, model_path):
            loads.append((model_name, version, seconds >= 0, ok, model_path))

    caplog.set_level("INFO")
    put(tmp_path, 1)
    put(tmp_path, 2, "broken")
    with following(tmp_path, metrics=Metrics()):
        assert loads == [
            ("m", 2, True, False, str(tmp_path / "2")),
            ("m", 1, True, True, str(tmp_path / "1")),
        ]
    assert "model m: loaded version 1 in 0.00 s" in caplog.messages


def test_requests_never_miss_while_versions_come_and_go(tmp_path):
    """Every lease finds a version that is not closed, whatever happens beside it."""
    # So many that not all change while the folder is read, which takes time beside four callers.
    kept = 6
    for version in range(1, kept + 1):
        put(tmp_path, version)
    stopping = threading.Event()
    failures = []

    def ask(manager):
        while not stopping.is_set():
            try:
                with manager.lease() as loaded:
                    assert not loaded.servable.closed
            except Exception as error:
                failures.append(error)

    with following(tmp_path, LoadPolicy(0.001, max_num_retries=0)) as manager:
        threads = [threading.Thread(target=ask, args=(manager,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for version in range(kept + 1, 40):
            put(tmp_path, version, "broken" if version % 7 == 0 else "good")
            take_away(tmp_path, version - kept)
            aim = Latest(version % 3 + 1) if version % 2 else All()
            manager.configure(tmp_path, aim)
            time.sleep(0.01)
        stopping.set()
        for thread in threads:
            thread.join()
        assert failures == []


def test_board_forgets_the_oldest_ended_versions():
    board = StatusBoard()
    for version in range(StatusBoard.MAX_ENDED + 10):
        board.post(VersionStatus(version, State.END))
    board.post(VersionStatus(1000, State.AVAILABLE))
    versions = [status.version for status in board.list_all()]
    assert len(versions) == StatusBoard.MAX_ENDED + 1
    assert versions[0] == 1000 and versions[-1] == 10
