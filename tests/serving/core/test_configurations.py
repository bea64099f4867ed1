"""From configurations to models that come and go, on servables that need no TensorFlow."""

import asyncio
import threading
import time

import pytest

from darkroom.serving.model_server import core as core_module
from darkroom.serving.model_server.core import ModelSpec
from darkroom.serving.model_server.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    StatusError,
)
from darkroom.serving.model_server.models.loading import LoadPolicy
from darkroom.serving.model_server.models.manager import ModelManager
from darkroom.serving.protos.text_files import parse_text
from darkroom.tests.serving.core.served import ALL, labels
from darkroom.tests.serving.models.fakes import (
    Gate,
    put,
    states,
    wait_until,
)


def test_models_come_and_go_with_the_configuration(served, tmp_path):
    for name in "abc":
        put(tmp_path / name, 1)
    served.reload("a", "b")
    assert served.core.list_models() == ["a", "b"]
    with served.core.lease(ModelSpec("a")) as loaded:
        served.reload("b", "c")
        assert served.core.list_models() == ["b", "c"]
        assert (served.ask("b"), served.ask("c")) == (1, 1)
        with pytest.raises(NotFound, match=r"Servable not found for request: Latest\(a\)"):
            served.ask("a")
        assert not loaded.servable.closed and served.states("a") == {1: "UNLOADING"}
    wait_until(lambda: served.states("a") == {1: "END"})
    assert loaded.servable.closed
    served.reload()
    assert served.core.list_models() == []


def test_model_that_comes_back_is_loaded_anew(served, tmp_path):
    put(tmp_path / "a", 1)
    put(tmp_path / "a", 2)
    served.reload(("a", ALL))
    # A reload waits for the model, which one version makes available.
    wait_until(lambda: served.states("a") == {2: "AVAILABLE", 1: "AVAILABLE"})
    with served.core.lease(ModelSpec("a", 1)) as first:
        served.reload()
        served.reload("a")
        assert served.ask("a") == 2
        assert served.states("a") == {2: "AVAILABLE", 1: "UNLOADING"}
    wait_until(lambda: first.servable.closed)
    wait_until(lambda: served.states("a") == {2: "AVAILABLE", 1: "END"})


def test_reload_waits_for_new_models_and_for_no_others(served, tmp_path):
    put(tmp_path / "a", 1)
    put(tmp_path / "b", 1)
    served.reload("a")
    gate = served.loaders["b"] = Gate(1)

    async def reload():
        task = asyncio.create_task(served.core.reload(served.config("a", "b")))
        await asyncio.to_thread(gate.entered[1].wait, 20)
        assert not task.done() and served.ask("a") == 1
        gate.opened[1].set()
        await asyncio.wait_for(task, 20)
        assert served.ask("b") == 1

    asyncio.run(reload())
    served.reload("a", ("b", ALL))


def test_reload_that_nobody_waits_for_any_more_goes_on(served, tmp_path):
    put(tmp_path / "a", 1)
    gate = served.loaders["a"] = Gate(1)

    async def give_up():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(served.core.reload(served.config("a")), 0.2)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(give_up())
    gate.opened[1].set()
    wait_until(lambda: served.states("a") == {1: "AVAILABLE"})


def test_reload_says_which_new_model_does_not_load_and_stays_in_force(served, tmp_path):
    put(tmp_path / "a", 1, "broken")
    put(tmp_path / "b", 1)
    with pytest.raises(StatusError) as caught:
        served.reload("a", "b")
    assert caught.value.code is Code.UNKNOWN
    assert caught.value.message == (
        "1 model(s) did not become available: {{{name: a version: 1} due to error: "
        "INTERNAL: ValueError: 1 is broken}, }"
    )
    assert served.core.list_models() == ["a", "b"]
    put(tmp_path / "a", 2)
    wait_until(lambda: served.states("a").get(2) == "AVAILABLE")


def test_reload_ends_when_what_it_waits_for_is_taken_away_again(served, tmp_path):
    async def reload_twice():
        first = asyncio.create_task(served.core.reload(served.config("empty")))
        while "empty" not in served.core.list_models():
            await asyncio.sleep(0.005)
        assert not first.done()
        await served.core.reload(served.config())
        with pytest.raises(StatusError, match="it was removed meanwhile"):
            await asyncio.wait_for(first, 20)

    asyncio.run(reload_twice())


def test_retries_of_one_model_hold_up_no_other_reload(serve, tmp_path):
    served = serve(policy=LoadPolicy(0.01, max_num_retries=5, retry_interval_seconds=3600))
    put(tmp_path / "a", 1, "broken")
    put(tmp_path / "b", 1)

    async def reload_beside():
        first = asyncio.create_task(served.core.reload(served.config("a")))
        await asyncio.sleep(0.05)
        await asyncio.wait_for(served.core.reload(served.config("a", "b")), 20)
        assert served.ask("b") == 1 and not first.done()
        put(tmp_path / "a", 2)
        await asyncio.wait_for(first, 20)

    asyncio.run(reload_beside())


@pytest.mark.parametrize("text", ["custom_model_config {}", ""])
def test_only_a_list_follows_a_list(served, tmp_path, text):
    put(tmp_path / "a", 1)
    served.reload("a")
    with pytest.raises(FailedPrecondition, match="only legal to transition from one ModelConfigL"):
        served.core.apply(parse_text(text, "ModelServerConfig", "a test"))
    assert served.ask("a") == 1


def test_first_configuration_may_be_empty_but_not_custom(served, tmp_path):
    with pytest.raises(InvalidArgument, match="custom_model_config is not supported"):
        served.core.apply(parse_text("custom_model_config {}", "ModelServerConfig", "a test"))
    assert served.core.apply(parse_text("", "ModelServerConfig", "a test")) == []
    put(tmp_path / "a", 1)
    served.reload("a")
    assert served.ask("a") == 1


def test_nothing_of_a_refused_configuration_is_applied(served, tmp_path):
    for name in "ab":
        put(tmp_path / name, 1)
        put(tmp_path / name, 2)
    served.reload(("a", ALL))
    wait_until(lambda: served.states("a") == {2: "AVAILABLE", 1: "AVAILABLE"})
    served.reload(("a", ALL + labels(stable=1)))
    for refused in (
        [("a", labels(stable=2, canary=3)), "b"],
        [("a", labels(stable=2)), "b", "b"],
        ["b", ("", "")],
    ):
        with pytest.raises(StatusError):
            served.reload(*refused)
        with pytest.raises(StatusError):
            served.core.check(served.config(*refused))
    assert served.core.list_models() == ["a"]
    assert (served.ask("a", label="stable"), served.ask("a", version=1)) == (1, 1)
    assert served.states("a") == {2: "AVAILABLE", 1: "AVAILABLE"}


def test_same_configuration_again_changes_nothing(served, tmp_path):
    put(tmp_path / "a", 1)
    assert [manager.name for manager in served.apply("a")] == ["a"]
    assert served.apply("a") == []


def test_logging_configuration_follows_reloads(served, tmp_path):
    put(tmp_path / "a", 1)
    served.reload(("a", 'logging_config { log_collector_config { filename_prefix: "/x" } }'))
    config = served.core.logging_config("a")
    assert config.log_collector_config.filename_prefix == "/x"
    served.reload("a")
    assert served.core.logging_config("a") is None is served.core.logging_config("b")


def test_states_of_all_models_are_listed(served, tmp_path):
    put(tmp_path / "a", 1)
    put(tmp_path / "b", 2, "broken")
    served.apply("a", "b")
    wait_until(
        lambda: sorted(served.core.list_states()) == [("a", 1, "AVAILABLE"), ("b", 2, "END")]
    )
    assert states(served.core.get_manager("b")) == {2: "END"}
    assert served.core.get_manager("c") is None


def test_statuses_of_removed_models_are_not_kept_for_ever(served, tmp_path, monkeypatch):
    monkeypatch.setattr(core_module, "MAX_REMOVED", 3)
    names = [f"m{number}" for number in range(4)]
    for name in names:
        put(tmp_path / name, 1)
        served.reload(name)
    served.reload()
    served.reload(names[-1])
    with pytest.raises(NotFound, match="Could not find any versions of model m0"):
        served.states("m0")
    assert served.states("m1") == {1: "END"}


def test_stopped_core_follows_nothing(served, tmp_path):
    put(tmp_path / "a", 1)
    served.reload("a")
    served.core.stop()
    with pytest.raises(StatusError) as caught:
        served.apply("a", "b")
    assert caught.value.code is Code.UNAVAILABLE
    assert served.core.join(20)
    with pytest.raises(NotFound):
        served.ask("a")


def test_model_whose_thread_cannot_start_leaves_everything_as_it_was(served, tmp_path, monkeypatch):
    for name in "abc":
        put(tmp_path / name, 1)
    served.reload("a")
    start = ModelManager.start
    made = []

    def fail_at_c(manager):
        made.append(manager)
        if manager.name == "c":
            raise RuntimeError("can't start new thread")
        start(manager)

    monkeypatch.setattr(ModelManager, "start", fail_at_c)
    with pytest.raises(RuntimeError):
        served.apply("b", "c")
    assert served.core.list_models() == ["a"] and served.ask("a") == 1
    assert all(manager.is_decided() for manager in made)


def test_many_reloads_at_once_take_turns(served, tmp_path):
    names = "abcd"
    for name in names:
        put(tmp_path / name, 1)
    errors = []

    def reload(first):
        try:
            for turn in range(8):
                asyncio.run(served.core.reload(served.config(*names[first : first + turn % 3])))
        except StatusError as error:
            # Another one took models away that this one waited for.
            allowed = ("removed meanwhile", "model(s) did not become available")
            if not any(words in error.message for words in allowed):
                errors.append(error)

    threads = [threading.Thread(target=reload, args=(first,)) for first in range(4)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == [] and time.monotonic() - started < 60
    served.reload(*names)
    assert [served.ask(name) for name in names] == [1, 1, 1, 1]
