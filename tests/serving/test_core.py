"""From names, labels and configurations to versions, on servables that need no TensorFlow."""

import asyncio
import contextlib
import threading
import time

import pytest

from darkroom.serving.model_server import core as core_module
from darkroom.serving.model_server.core import ModelSpec, ServerCore
from darkroom.serving.model_server.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    StatusError,
)
from darkroom.serving.model_server.models import memory
from darkroom.serving.model_server.models.loading import LoadPolicy
from darkroom.serving.model_server.models.manager import ModelManager
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.protos.text_files import parse_text
from darkroom.tests.serving.models.fakes import (
    NO_RETRY,
    Echo,
    Gate,
    create_config,
    put,
    states,
    wait_until,
)


@pytest.fixture(autouse=True)
def _collect_no_garbage(monkeypatch):
    # With TensorFlow in the process, each time takes longer than any of these tests.
    monkeypatch.setattr(memory, "give_back", lambda: None)


class Served:
    """A core and the configurations that it is given."""

    def __init__(self, root, policy=NO_RETRY, **options):
        self.root = root
        self.loaders = {}
        self.policy = policy
        self.core = ServerCore(self.create, create_config(**options), Metrics())

    def create(self, settings):
        load = self.loaders.get(settings.name, Echo)
        return ModelManager(
            settings.name, settings.base_path, load, Metrics(), self.policy, settings.versions
        )

    def config(self, *models):
        """Each model as its name, or as a name and more fields."""
        pairs = [model if isinstance(model, tuple) else (model, "") for model in models]
        entries = [
            f'config {{ name: "{name}" base_path: "{self.root / name}" '
            f'model_platform: "tensorflow" {more} }}'
            for name, more in pairs
        ]
        text = f"model_config_list {{ {' '.join(entries)} }}"
        return parse_text(text, "ModelServerConfig", "a test")

    def reload(self, *models):
        asyncio.run(self.core.reload(self.config(*models)))

    def apply(self, *models):
        return self.core.apply(self.config(*models))

    def ask(self, name, version=None, label=None):
        with self.core.lease(ModelSpec(name, version, label)) as loaded:
            assert not loaded.servable.closed
            return loaded.version

    def states(self, name):
        statuses = self.core.list_statuses(ModelSpec(name))
        return {status.version: status.state.name for status in statuses}


def labels(**versions):
    return " ".join(
        f'version_labels {{ key: "{label}" value: {version} }}'
        for label, version in versions.items()
    )


ALL = "model_version_policy { all {} }"


@pytest.fixture
def serve(tmp_path):
    with contextlib.ExitStack() as stack:

        def create(**options):
            served = Served(tmp_path, **options)
            stack.callback(served.core.join, 20)
            stack.callback(served.core.stop)
            return served

        yield create


@pytest.fixture
def served(serve):
    return serve()


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
