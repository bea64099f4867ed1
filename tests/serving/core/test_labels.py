"""From a label to the version that it names now."""

import threading

import pytest

from darkroom.serving.model_server.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from darkroom.tests.serving.core.served import ALL, labels
from darkroom.tests.serving.models.fakes import (
    put,
    wait_until,
)


def test_labels_name_available_versions_only(served, tmp_path):
    for version in (1, 2):
        put(tmp_path / "a", version)
    with pytest.raises(FailedPrecondition) as caught:
        served.reload(("a", labels(stable=2)))
    assert caught.value.message == (
        "Request to assign label to version 2 of model a, which is not currently available for "
        "inference"
    )
    served.reload("a")
    served.reload(("a", labels(stable=2, best=2)))
    assert served.ask("a", label="stable") == served.ask("a", label="best") == 2
    with pytest.raises(FailedPrecondition, match="version 1 of model a"):
        served.reload(("a", ALL + labels(stable=1)))
    served.reload(("a", labels(best=2)))
    with pytest.raises(InvalidArgument, match="Unrecognized servable version label: stable"):
        served.ask("a", label="stable")
    with pytest.raises(InvalidArgument, match="Unrecognized servable version label: best"):
        served.ask("b", label="best")


def test_new_labels_may_name_what_is_not_there_where_that_is_allowed(serve, tmp_path):
    served = serve(allow_version_labels_for_unavailable_models=True)
    put(tmp_path / "a", 1)
    served.reload(("a", ALL + labels(stable=1, canary=2)))
    assert served.ask("a", label="stable") == 1
    with pytest.raises(NotFound, match=r"Servable not found for request: Specific\(a, 2\)"):
        served.ask("a", label="canary")
    # Not so a label that is in use: its requests would fail until the version is there.
    with pytest.raises(FailedPrecondition, match="version 3 of model a"):
        served.reload(("a", ALL + labels(stable=3, canary=2)))
    put(tmp_path / "a", 2)
    wait_until(lambda: served.states("a").get(2) == "AVAILABLE")
    served.reload(("a", ALL + labels(stable=2, canary=2)))
    assert served.ask("a", label="stable") == 2


def test_request_whose_version_goes_before_it_has_it_gets_the_one_that_the_label_names_now(
    served, tmp_path, monkeypatch
):
    for version in (1, 2):
        put(tmp_path / "a", version)
    served.reload(("a", ALL))
    wait_until(lambda: served.states("a") == {1: "AVAILABLE", 2: "AVAILABLE"})
    served.reload(("a", ALL + labels(stable=1)))
    manager = served.core.get_manager("a")
    acquire = manager.acquire

    def acquire_late(version):
        monkeypatch.setattr(manager, "acquire", acquire)
        only_2 = "model_version_policy { specific { versions: 2 } }"
        served.apply(("a", only_2 + labels(stable=2)))
        wait_until(lambda: served.states("a")[1] == "END")
        return acquire(version)

    monkeypatch.setattr(manager, "acquire", acquire_late)
    assert served.ask("a", label="stable") == 2


def test_no_request_fails_while_labels_move_and_models_change(served, tmp_path):
    """Moves a label from version to version, and lets the version before go at once."""
    for version in (1, 2):
        put(tmp_path / "a", version)
    put(tmp_path / "b", 1)
    only = "model_version_policy { specific { versions: %d } }"
    served.reload(("a", ALL))
    wait_until(lambda: served.states("a") == {1: "AVAILABLE", 2: "AVAILABLE"})
    served.reload(("a", ALL + labels(stable=1)))
    stopping = threading.Event()
    failures, answers = [], set()

    def ask():
        while not stopping.is_set():
            try:
                answers.add(served.ask("a", label="stable"))
                served.ask("a")
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for round_ in range(6):
        version = round_ % 2 + 1
        served.apply(("a", only % version + labels(stable=version)), *["b"] * (round_ % 3 == 0))
        wait_until(lambda version=version: served.states("a")[3 - version] == "END")
        served.apply(("a", ALL + labels(stable=version)))
        wait_until(lambda: list(served.states("a").values()) == ["AVAILABLE"] * 2)
    stopping.set()
    for thread in threads:
        thread.join()
    assert failures == [] and answers == {1, 2}
