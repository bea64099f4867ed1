"""New versions while clients keep asking: nothing fails, and answers only move forward."""

import shutil
import threading
import time

import numpy as np
import pytest

from darkroom.serving.client import GrpcClient, RestClient
from darkroom.serving.model_server import ModelServer, ServerConfig
from darkroom.tests.serving.models.servers import NO_RETRY, Caller, put
from darkroom.tests.serving.saved_models import save_constant

VERSIONS = (1, 2, 3)


@pytest.fixture(scope="module")
def saved_versions(tmp_path_factory):
    """The models, made beforehand, so that the test's time is the server's."""
    folder = tmp_path_factory.mktemp("versions")
    for version in VERSIONS:
        save_constant(folder / str(version), version)
    return folder


@pytest.fixture
def base_path(tmp_path, saved_versions):
    path = tmp_path / "served"
    path.mkdir()
    put(saved_versions, path, 1)
    return path


def serve(base_path, **options):
    options = {"file_system_poll_wait_seconds": 0.05, "max_num_load_retries": 0, **options}
    return ModelServer(ServerConfig(model_name="c", model_base_path=base_path, **options))


def wait_for(server, version, state="AVAILABLE", timeout_seconds=30):
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if any(s.version == version and s.state.name == state for s in server.list_statuses()):
            return
        time.sleep(0.01)
    raise AssertionError(f"version {version} is not {state}: {server.list_statuses()}")


def wait_for_answers(callers, version, timeout_seconds=30):
    deadline = time.monotonic() + timeout_seconds
    while any(version not in caller.answers[-1:] for caller in callers):
        assert time.monotonic() < deadline, [caller.error for caller in callers]
        time.sleep(0.01)


def test_no_request_fails_while_versions_change(base_path, saved_versions):
    with (
        serve(base_path) as server,
        RestClient(f"http://127.0.0.1:{server.rest_port}", "c", retry=NO_RETRY) as rest,
        GrpcClient(f"127.0.0.1:{server.grpc_port}", "c", retry=NO_RETRY) as grpc,
    ):
        stopping = threading.Event()
        callers = [Caller(client, stopping) for client in (rest, rest, grpc, grpc)]
        for caller in callers:
            caller.start()
        for version in VERSIONS[1:]:
            wait_for_answers(callers, version - 1)
            put(saved_versions, base_path, version)
            wait_for(server, version)
            wait_for(server, version - 1, "END")
        wait_for_answers(callers, VERSIONS[-1])
        stopping.set()
        for caller in callers:
            caller.join(30)
    for caller in callers:
        assert caller.error is None
        assert caller.answers == sorted(caller.answers)
        assert set(caller.answers) == {1.0, 2.0, 3.0}


def test_broken_version_is_reported_and_the_old_one_answers(base_path, saved_versions):
    put(saved_versions, base_path, 2)
    with serve(base_path) as server, GrpcClient(f"127.0.0.1:{server.grpc_port}", "c") as client:
        (base_path / "3").mkdir()
        (base_path / "3" / "saved_model.pb").write_bytes(b"not a model")
        wait_for(server, 3, "END")
        newest, *_ = client.get_status()
        assert (newest.version, newest.state) == (3, "END")
        assert newest.error_code != "OK" and newest.error_message
        assert client.predict_raw({"x": np.zeros(1, np.float32)})["value"].tolist() == [2.0]


def test_missing_variables_are_reported(base_path):
    shutil.rmtree(base_path / "1" / "variables")
    with serve(base_path) as server:
        (status,) = server.list_statuses()
        assert status.state.name == "END"
        assert status.code.name in ("NOT_FOUND", "DATA_LOSS", "INTERNAL")


def test_server_on_an_empty_folder_waits_for_a_model(tmp_path, saved_versions):
    base_path = tmp_path / "empty"
    base_path.mkdir()
    with (
        serve(base_path) as server,
        RestClient(f"http://127.0.0.1:{server.rest_port}", "c") as client,
    ):
        with pytest.raises(Exception, match="Could not find any versions of model c"):
            client.get_status()
        with pytest.raises(Exception, match=r"Servable not found for request: Latest\(c\)"):
            client.predict_raw({"x": [0.0]})
        put(saved_versions, base_path, 1)
        server.wait_until_available(timeout_seconds=30)
        assert client.predict_raw({"x": [0.0]})["value"].tolist() == [1.0]
