"""Several real models, their labels, and configurations that change while clients keep asking."""

import concurrent.futures
import shutil
import threading
import time

import grpc
import pytest

from darkroom.serving import protos
from darkroom.serving.client import GrpcClient, RequestError, Target
from darkroom.serving.model_server import (
    ModelServer,
    NotAvailableError,
    ServerConfig,
    StartError,
    StartInterrupted,
)
from darkroom.serving.model_server.servables import loading
from darkroom.serving.protos.text_files import read_text_file
from darkroom.tests.serving.models.servers import (
    Caller,
    ask,
    connect,
    labels,
    put,
    serve,
    states,
    wait_until,
    write_config,
)
from darkroom.tests.serving.saved_models import save_constant

PROTOCOLS = ("rest", "grpc")
ALL = "model_version_policy { all {} } "
RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The models, made beforehand, so that the tests' time is the server's."""
    folder = tmp_path_factory.mktemp("saved")
    for version in (1, 2, 3, 4):
        save_constant(folder / str(version), version)
    return folder


@pytest.fixture
def config_file(tmp_path, saved):
    """Two models: `a` with versions 1 and 2, `b` with version 3."""
    for name, versions in (("a", (1, 2)), ("b", (3,))):
        for version in versions:
            put(saved, tmp_path / name, version)
    path = tmp_path / "models.config"
    write_config(path, "a", "b")
    return path


def value(server, protocol, target):
    with connect(server, protocol, target) as client:
        return ask(client)


class Reloader:
    """Calls HandleReloadConfigRequest."""

    def __init__(self, server):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        self._call = self.channel.unary_unary(
            RELOAD,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=protos.message_class(
                "tensorflow.serving.ReloadConfigResponse"
            ).FromString,
        )

    def __call__(self, config_file, timeout=60, metric_names=()):
        request = protos.message_class("tensorflow.serving.ReloadConfigRequest")()
        request.config.CopyFrom(read_text_file(config_file, "ModelServerConfig"))
        request.metric_names.extend(metric_names)
        return self._call(request, timeout=timeout)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_model_answers_by_its_name(config_file, protocol):
    with serve(config_file) as server:
        server.wait_until_available(timeout_seconds=0)
        assert value(server, protocol, "a") == 2
        assert value(server, protocol, "b") == 3
        assert server.describe().startswith("serving a, b: REST http://127.0.0.1:")
        assert states(server, "a") == {2: "AVAILABLE"}
        with pytest.raises(RequestError, match=r"Servable not found for request: Latest\(c\)"):
            value(server, protocol, "c")
        with pytest.raises(StartError, match="model_name is None; the models are: 'a', 'b'"):
            server.list_statuses()
        with pytest.raises(StartError, match="model_name is 'c'"):
            server.list_statuses("c")


def test_many_models_are_named_in_part_and_each_is_waited_for(tmp_path, saved):
    names = [f"m{number}" for number in range(7)]
    for name in names[:6]:
        put(saved, tmp_path / name, 1)
    config_file = tmp_path / "models.config"
    write_config(config_file, *names)
    with serve(config_file, grpc_port=None) as server:
        assert "serving m0, m1, m2, m3, m4 and 2 more: REST" in server.describe()
        assert [value(server, "rest", name) for name in names[:6]] == [1] * 6
        with pytest.raises(NotAvailableError, match="model 'm6' is not available: no version in"):
            server.wait_until_available(timeout_seconds=0)


def test_labels_move_while_the_server_runs(config_file):
    with serve(config_file) as server:
        write_config(config_file, ("a", ALL), "b")
        wait_until(lambda: states(server, "a") == {1: "AVAILABLE", 2: "AVAILABLE"})
        write_config(config_file, ("a", ALL + labels(stable=1, canary=2)), "b")
        stable, canary = Target("a", label="stable"), Target("a", label="canary")
        with connect(server, "grpc", stable) as client:
            wait_until(lambda: _answers(client) == 1)
        for protocol in PROTOCOLS:
            assert value(server, protocol, stable) == 1
            assert value(server, protocol, canary) == 2
            assert value(server, protocol, Target("a", version=1)) == 1
        write_config(config_file, ("a", ALL + labels(stable=2)), "b")
        wait_until(lambda: value(server, "rest", stable) == 2)
        for protocol in PROTOCOLS:
            with pytest.raises(RequestError, match="Unrecognized servable version label: canary"):
                value(server, protocol, canary)


def _answers(client):
    try:
        return ask(client)
    except RequestError:
        return None


def test_label_at_the_start_needs_the_flag(config_file):
    write_config(config_file, ("a", labels(stable=2)))
    with pytest.raises(StartError) as caught:
        serve(config_file).start()
    assert str(config_file) in str(caught.value)
    assert "Request to assign label to version 2 of model a, which is not" in str(caught.value)
    with serve(config_file, allow_version_labels_for_unavailable_models=True) as server:
        assert value(server, "rest", Target("a", label="stable")) == 2


def test_reload_over_grpc_answers_when_the_new_models_do(config_file, saved):
    with serve(config_file, model_config_file_poll_wait_seconds=0) as server:
        reload = Reloader(server)
        put(saved, config_file.parent / "c", 4)
        write_config(config_file, "b", "c")
        names = ["/tensorflow/core/saved_model/read/count"]
        response = reload(config_file, metric_names=names)
        assert response.HasField("status") and response.status.error_code == 0
        assert [(m.name, m.int64_value_increase) for m in response.metric] == [(names[0], 0)]
        assert value(server, "grpc", "c") == 4 and value(server, "rest", "b") == 3
        with pytest.raises(RequestError, match="Servable not found"):
            value(server, "grpc", "a")
        reload.channel.close()


def test_refused_reload_over_grpc_says_why_and_changes_nothing(config_file):
    with serve(config_file, model_config_file_poll_wait_seconds=0) as server:
        reload = Reloader(server)
        refused = config_file.parent / "refused.config"
        write_config(refused, "b", ("a", labels(stable=9)))
        with pytest.raises(grpc.RpcError) as caught:
            reload(refused)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "version 9 of model a, which is not currently avail" in caught.value.details()
        refused.write_text("")
        with pytest.raises(grpc.RpcError) as caught:
            reload(refused)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details() == (
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
        assert value(server, "rest", "a") == 2 and value(server, "rest", "b") == 3
        reload.channel.close()


def test_reload_over_grpc_that_waits_for_a_folder_stops_nobody(config_file, saved):
    with serve(config_file, model_config_file_poll_wait_seconds=0) as server:
        reload = Reloader(server)
        write_config(config_file, "a", "b", "later")
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            waiting = executor.submit(reload, config_file)
            wait_until(lambda: "later" in server.describe())
            assert value(server, "grpc", "a") == 2 and not waiting.done()
            with pytest.raises(grpc.RpcError) as caught:
                write_config(config_file, "a", "b", "later", "never")
                reload(config_file, timeout=0.3)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            put(saved, config_file.parent / "later", 4)
            assert waiting.result(60).status.error_code == 0
        reload.channel.close()


def test_bad_file_is_reported_and_the_old_configuration_kept(config_file, caplog):
    with serve(config_file) as server:
        good = config_file.read_text()
        config_file.write_text(good[: len(good) // 2])
        wait_until(lambda: "the models stay as they are" in caplog.text)
        config_file.unlink()
        wait_until(lambda: "cannot read" in caplog.text)
        assert value(server, "rest", "a") == 2 and value(server, "grpc", "b") == 3
        write_config(config_file, "a")
        wait_until(lambda: "a:" in server.describe() and "b" not in server.describe().split(":")[0])
        assert value(server, "rest", "a") == 2


def test_models_of_a_slow_or_broken_neighbour_are_served(config_file, saved):
    broken = config_file.parent / "broken" / "1"
    shutil.copytree(saved / "1", broken)
    shutil.rmtree(broken / "variables")
    write_config(config_file, "broken", "a")
    options = {"max_num_load_retries": 5, "load_retry_interval_seconds": 3600}
    with serve(config_file, **options) as server:
        assert states(server, "broken") == {1: "LOADING"}
        assert value(server, "rest", "a") == 2
        put(saved, config_file.parent / "a", 3)
        wait_until(lambda: states(server, "a").get(3) == "AVAILABLE")


def test_relative_folder_of_the_one_model_is_taken_from_the_working_directory(
    tmp_path, saved, monkeypatch
):
    put(saved, tmp_path / "models", 1)
    monkeypatch.chdir(tmp_path)
    config = ServerConfig(model_name="m", model_base_path="models", grpc_port=None)
    with ModelServer(config) as server:
        monkeypatch.chdir("/")
        assert value(server, "rest", "m") == 1
        assert [status.version for status in server.list_statuses()] == [1]


@pytest.mark.parametrize("when", ["before", "while"])
def test_interrupted_start_gives_up(config_file, when, monkeypatch):
    server = serve(config_file)
    entered, go_on = threading.Event(), threading.Event()

    def load(*args):
        entered.set()
        go_on.wait(60)
        raise RuntimeError("enough")

    monkeypatch.setattr(loading, "load_model", load)
    if when == "before":
        server.interrupt()
    else:
        threading.Thread(target=lambda: entered.wait(60) and server.interrupt()).start()
    started = time.monotonic()
    with pytest.raises(StartInterrupted):
        server.start()
    assert time.monotonic() - started < 20
    go_on.set()


def test_nothing_fails_while_versions_labels_and_models_change(config_file, saved):
    """Four callers of `a`, by name and by label; `a` moves on, `b` and `c` come and go."""
    write_config(config_file, ("a", ALL), "b")
    with serve(config_file) as server:
        write_config(config_file, ("a", ALL + labels(stable=1)), "b")
        stable = Target("a", label="stable")
        with connect(server, "grpc", stable) as client:
            wait_until(lambda: _answers(client) == 1)
        targets = [(p, t) for p in PROTOCOLS for t in ("a", stable)]
        stopping = threading.Event()
        callers = [Caller(connect(server, p, t), stopping) for p, t in targets]
        for caller in callers:
            caller.start()
        put(saved, config_file.parent / "c", 4)
        for version in (2, 3, 4):
            time.sleep(0.2)
            if version > 2:
                put(saved, config_file.parent / "a", version)
            wait_until(lambda v=version: states(server, "a").get(v) == "AVAILABLE")
            others = ["b"] if version % 2 else ["c"]
            write_config(config_file, ("a", ALL + labels(stable=version)), *others)
            wait_until(lambda v=version: value(server, "rest", stable) == v)
            shutil.rmtree(config_file.parent / "a" / str(version - 1))
            wait_until(lambda v=version: states(server, "a")[v - 1] == "END")
        time.sleep(0.2)
        stopping.set()
        for caller in callers:
            caller.join(30)
            caller.client.close()
    for caller, (_, target) in zip(callers, targets, strict=True):
        assert caller.error is None
        assert caller.answers == sorted(caller.answers)
        assert set(caller.answers) == {2.0, 3.0, 4.0} | ({1.0} if target == stable else set())


def test_client_of_one_model_is_not_stopped_by_reloads_of_another(config_file, saved):
    with serve(config_file, model_config_file_poll_wait_seconds=0) as server:
        reload = Reloader(server)
        stopping = threading.Event()
        caller = Caller(GrpcClient(f"127.0.0.1:{server.grpc_port}", "a"), stopping)
        caller.start()
        put(saved, config_file.parent / "c", 4)
        for others in (["b", "c"], ["c"], [], ["b"]):
            write_config(config_file, "a", *others)
            reload(config_file)
        stopping.set()
        caller.join(30)
        caller.client.close()
        reload.channel.close()
    assert caller.error is None and set(caller.answers) == {2.0}
