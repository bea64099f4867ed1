"""Starting, stopping, ports and time limits of a server."""

import socket
import statistics
import threading
import time

import httpx
import numpy as np
import pytest
from pydantic import ValidationError

from darkroom.serving.client import DeadlineError, GrpcClient, RestClient, RetryPolicy
from darkroom.serving.model_server import ModelServer, NotAvailableError, ServerConfig, StartError

STEPS = {"steps": np.array([100_000])}
"""Some seconds of work for the signature `spin`."""
SLOW = {"signature_name": "spin", "inputs": {"steps": [100_000]}}


def create(base_path, **options):
    config = ServerConfig(
        model_name="zoo",
        model_base_path=base_path,
        file_system_poll_wait_seconds=0,
        **options,
    )
    return ModelServer(config)


@pytest.fixture(scope="module")
def base_path(server):
    return server.config.model_base_path


def test_ports_are_bound_and_named(server):
    assert server.rest_port and server.grpc_port and server.rest_port != server.grpc_port
    assert server.describe() == (
        f"serving zoo: REST http://127.0.0.1:{server.rest_port} gRPC 127.0.0.1:{server.grpc_port}"
    )


def test_one_api_only(tmp_path):
    with create(tmp_path, grpc_port=None) as server:
        assert server.grpc_port is None
        assert server.describe() == f"serving zoo: REST http://127.0.0.1:{server.rest_port}"
    with create(tmp_path, rest_port=None) as server:
        assert server.rest_port is None


@pytest.mark.parametrize("port", ["rest_port", "grpc_port"])
def test_port_that_is_taken(tmp_path, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"cannot bind .* port {number} of 127.0.0.1"):
            create(tmp_path, **{port: number}).start()


def test_two_servers_do_not_share_a_grpc_port(server, tmp_path):
    with pytest.raises(StartError, match="cannot bind gRPC port"):
        create(tmp_path, grpc_port=server.grpc_port).start()


def test_server_starts_once(tmp_path):
    server = create(tmp_path)
    with pytest.raises(StartError, match="not started"):
        server.wait_until_available(timeout_seconds=1)
    with server:
        with pytest.raises(StartError, match="started before"):
            server.start()
        with pytest.raises(NotAvailableError, match="no version in"):
            server.wait_until_available(timeout_seconds=0)


def test_stopped_server_frees_its_ports(tmp_path):
    with create(tmp_path) as server:
        ports = {"rest_port": server.rest_port, "grpc_port": server.grpc_port}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{ports['rest_port']}/v1/models/zoo", trust_env=False)
    with create(tmp_path, **ports) as server:
        assert server.rest_port == ports["rest_port"]


def test_request_in_flight_is_answered_when_the_server_stops(base_path):
    server = create(base_path)
    server.start()
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/zoo:predict"
    answers = {}

    def ask_rest():
        response = httpx.post(url, json=SLOW, timeout=60, trust_env=False)
        answers["rest"] = len(response.json()["outputs"])

    def ask_grpc():
        with GrpcClient(f"127.0.0.1:{server.grpc_port}", "zoo", 60) as client:
            answers["grpc"] = len(client.predict_raw(STEPS, "spin")["sum"])

    callers = [threading.Thread(target=ask) for ask in (ask_rest, ask_grpc)]
    for caller in callers:
        caller.start()
    time.sleep(0.5)
    assert not answers, "the requests must still be running for this test to mean anything"
    server.stop()
    for caller in callers:
        caller.join(60)
    assert answers == {"rest": 1, "grpc": 1}


def test_rest_request_that_takes_too_long(base_path):
    with create(base_path, rest_api_timeout_in_ms=100) as server:
        url = f"http://127.0.0.1:{server.rest_port}/v1/models/zoo:predict"
        response = httpx.post(url, json=SLOW, timeout=60, trust_env=False)
    assert response.status_code == 504
    assert response.json() == {"error": "Timed out waiting for notification"}


def test_client_that_does_not_wait(base_path):
    once = RetryPolicy(attempts=1)
    # A server of its own, as what nobody waits for keeps it busy.
    with create(base_path) as server:
        rest = RestClient(f"http://127.0.0.1:{server.rest_port}", "zoo", 0.2, once)
        with rest, pytest.raises(DeadlineError):
            rest.predict_raw(STEPS, "spin")
        grpc = GrpcClient(f"127.0.0.1:{server.grpc_port}", "zoo", 0.2, once)
        with grpc, pytest.raises(DeadlineError):
            grpc.predict_raw(STEPS, "spin")


def test_answers_are_not_held_back_by_the_network(http):
    body = {"signature_name": "half_plus_two", "instances": [1.0]}
    seconds = []
    for _ in range(30):
        started = time.perf_counter()
        assert http.post("/v1/models/zoo:predict", json=body).status_code == 200
        seconds.append(time.perf_counter() - started)
    # 0.002 s; with Nagle's algorithm on, each answer waits 0.04 s for the client's acknowledgement.
    assert statistics.median(seconds) < 0.03


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_name": "a/b"}, "model_name 'a/b' has '/' or ':'"),
        ({"rest_port": 70000}, "less than or equal to 65535"),
        ({"rest_port": 8501, "grpc_port": 8501}, "rest_port and grpc_port are both 8501"),
        ({"rest_port": None, "grpc_port": None}, "both None; set at least one"),
        ({"max_num_load_retries": -1}, "greater than or equal to 0"),
        ({"nope": 1}, "Extra inputs are not permitted"),
    ],
)
def test_configuration_is_checked(tmp_path, options, message):
    with pytest.raises(ValidationError, match=message):
        ServerConfig(model_base_path=tmp_path, **options)


def test_configuration_is_frozen(tmp_path):
    config = ServerConfig(model_base_path=tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        config.model_name = "other"
