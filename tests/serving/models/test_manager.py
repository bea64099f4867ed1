"""Following the versions of one model, on servables that need no TensorFlow."""

import threading
import time

import pytest

from darkroom.serving.model_server.errors import Code, NotFound
from darkroom.serving.model_server.models import memory
from darkroom.serving.model_server.models.loading import LoadPolicy
from darkroom.serving.model_server.models.statuses import State, StatusBoard, VersionStatus
from darkroom.serving.model_server.models.versions import VersionPolicy
from darkroom.tests.serving.models.fakes import (
    Gate,
    following,
    lease,
    put,
    served,
    states,
    take_away,
    wait_until,
)


@pytest.fixture(autouse=True)
def _collect_no_garbage(monkeypatch):
    # With TensorFlow in the process, each time takes longer than any of these tests.
    monkeypatch.setattr(memory, "give_back", lambda: None)


def test_newest_version_is_served_by_number_and_as_latest(tmp_path):
    for version in (2, 10, 9):
        put(tmp_path, version)
    with following(tmp_path) as manager:
        for version in (None, 10):
            with lease(manager, version) as loaded:
                assert loaded.version == 10
        assert states(manager) == {10: "AVAILABLE"}
        with (
            pytest.raises(NotFound, match=r"Servable not found for request: Specific\(m, 9\)"),
            lease(manager, 9),
        ):
            pass


def test_what_is_no_version_is_passed_over(tmp_path):
    put(tmp_path, 1)
    for name in ("7.tmp", "-8", "x", "²", "99999999999999999999"):
        put(tmp_path, name)
    (tmp_path / "9").mkdir()
    (tmp_path / "8").write_text("a file")
    with following(tmp_path, versions=VersionPolicy(None)) as manager:
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
        with lease(manager) as first, lease(manager) as second:
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
        with lease(manager, 2) as first:
            take_away(tmp_path, 2)
            wait_until(lambda: served(manager) == [1])
            put(tmp_path, 2)
            wait_until(lambda: served(manager) == [2])
            with lease(manager, 2) as second:
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
    with following(tmp_path, versions=VersionPolicy(2)) as manager:
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
    with following(tmp_path, versions=VersionPolicy(2)) as manager:
        assert served(manager) == [3, 1]


def test_all_versions_are_served_but_for_the_broken_one(tmp_path):
    for version, content in ((1, "good"), (2, "broken"), (3, "good")):
        put(tmp_path, version, content)
    with following(tmp_path, versions=VersionPolicy(None)) as manager:
        assert served(manager) == [3, 1]
        put(tmp_path, 4)
        take_away(tmp_path, 1)
        wait_until(lambda: served(manager) == [4, 3])


def test_specific_versions_and_no_others_are_served(tmp_path, caplog):
    for version in (1, 2, 3):
        put(tmp_path, version)
    with following(tmp_path, versions=VersionPolicy(None, frozenset({1, 3, 7, 8}))) as manager:
        assert served(manager) == [3, 1]
        put(tmp_path, 9)
        put(tmp_path, 7)
        wait_until(lambda: served(manager) == [7, 3, 1])
    assert f"version 7, 8 is asked for and not in {tmp_path}" in caplog.messages[0]


def test_broken_specific_version_is_not_replaced_by_another(tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2, "broken")
    with following(tmp_path, versions=VersionPolicy(None, frozenset({2}))) as manager:
        assert served(manager) == []
        assert states(manager) == {2: "END"}


def test_policy_changes_while_serving(tmp_path):
    for version in (1, 2, 3):
        put(tmp_path, version)
    with following(tmp_path) as manager:
        manager.configure(tmp_path, VersionPolicy(None))
        wait_until(lambda: served(manager) == [3, 2, 1])
        manager.configure(tmp_path, VersionPolicy(None, frozenset({1})))
        wait_until(lambda: states(manager) == {3: "END", 2: "END", 1: "AVAILABLE"})
        manager.configure(tmp_path, VersionPolicy(2))
        wait_until(lambda: served(manager) == [3, 2])


def test_what_serves_stays_until_what_is_wanted_instead_is_loaded(tmp_path):
    put(tmp_path, 1)
    put(tmp_path, 2)
    put(tmp_path, 3, "broken")
    gate = Gate(1)
    with following(tmp_path, load=gate, versions=VersionPolicy(None, frozenset({2}))) as manager:
        manager.configure(tmp_path, VersionPolicy(None, frozenset({1, 3})))
        assert gate.entered[1].wait(20)
        assert served(manager) == [2]
        gate.opened[1].set()
        wait_until(lambda: served(manager) == [1])
        manager.configure(tmp_path, VersionPolicy(None, frozenset({3})))
        wait_until(lambda: states(manager)[3] == "END")
        time.sleep(0.05)
        assert served(manager) == [1]


def test_policy_that_changes_during_a_load_is_followed_next(tmp_path):
    for version in (1, 2, 3):
        put(tmp_path, version)
    gate = Gate(2)
    with following(tmp_path, load=gate, versions=VersionPolicy(None, frozenset({3}))) as manager:
        manager.configure(tmp_path, VersionPolicy(None, frozenset({1, 2})))
        assert gate.entered[2].wait(20)
        manager.configure(tmp_path, VersionPolicy(None, frozenset({3})))
        gate.opened[2].set()
        wait_until(lambda: states(manager).get(2) == "END")
        assert served(manager) == [3]
        assert [s.path.name for s in gate.loaded] == ["3", "2"]


def test_wanting_what_is_not_there_unloads_as_tensorflow_serving_does(tmp_path):
    put(tmp_path, 1)
    with following(tmp_path) as manager:
        manager.configure(tmp_path, VersionPolicy(None, frozenset({5})))
        wait_until(lambda: states(manager) == {1: "END"})


def test_other_folder_with_the_same_number_leaves_what_is_loaded(tmp_path):
    put(tmp_path / "a", 1, "from a")
    put(tmp_path / "b", 1, "from b")
    put(tmp_path / "b", 2, "from b")
    with following(tmp_path / "a") as manager:
        manager.configure(tmp_path / "b", VersionPolicy(None))
        wait_until(lambda: served(manager) == [2, 1])
        with lease(manager, 1) as first, lease(manager, 2) as second:
            assert (first.servable.content, second.servable.content) == ("from a", "from b")


def test_folder_that_is_not_there_leaves_what_is_served(tmp_path, caplog):
    put(tmp_path / "a", 1)
    with following(tmp_path / "a") as manager:
        manager.configure(tmp_path / "b", VersionPolicy())
        wait_until(lambda: "cannot read" in caplog.text)
        assert served(manager) == [1]
        put(tmp_path / "b", 2)
        wait_until(lambda: served(manager) == [2])


def test_loads_are_counted_and_their_seconds_logged(tmp_path, caplog):
    loads = []

    class Metrics:
        def observe_load(self, model_name, model_path, seconds, ok):
            loads.append((model_name, model_path, seconds >= 0, ok))

    caplog.set_level("INFO")
    put(tmp_path, 1)
    put(tmp_path, 2, "broken")
    with following(tmp_path, metrics=Metrics()):
        assert loads == [
            ("m", str(tmp_path / "2"), True, False),
            ("m", str(tmp_path / "1"), True, True),
        ]
    assert "model m: loaded version 1 in 0.00 s" in caplog.messages


def test_requests_never_miss_while_versions_come_and_go(tmp_path):
    """Every lease finds a version that is not closed, whatever happens beside it."""
    kept = 2
    for version in range(1, kept + 1):
        put(tmp_path, version)
    stopping = threading.Event()
    failures = []

    def ask(manager):
        while not stopping.is_set():
            try:
                with lease(manager) as loaded:
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
            aim = VersionPolicy(version % 3 + 1) if version % 2 else VersionPolicy(None)
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
