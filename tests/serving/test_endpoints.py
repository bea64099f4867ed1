"""Where a server can be asked, and what keeps it from being bound there; without TensorFlow."""

import socket
import subprocess
import sys
import time

import httpx
import pytest

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.endpoints import Endpoints
from darkroom.serving.model_server.errors import StartError
from darkroom.serving.model_server.event_loop import EventLoopThread
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.tests.serving.models.fakes import create_core
from darkroom.tests.serving.test_process import wait_for_file


@pytest.fixture
def loop():
    thread = EventLoopThread()
    yield thread
    thread.stop()


def bind(loop, tmp_path, **options):
    async def create():
        return Endpoints(ServerConfig(model_base_path=tmp_path, **options), Metrics())

    return loop.call(create())


@pytest.fixture
def monitored(tmp_path):
    path = tmp_path / "monitoring.cfg"
    path.write_text("prometheus_config { enable: true }")
    return path


def test_description_names_every_address(loop, tmp_path):
    endpoints = bind(loop, tmp_path, grpc_socket_path=tmp_path / "s")
    assert endpoints.describe() == (
        f"REST http://127.0.0.1:{endpoints.rest_port} gRPC 127.0.0.1:{endpoints.grpc_port} "
        f"gRPC unix:{tmp_path / 's'}"
    )
    loop.call(endpoints.stop())


def test_unix_socket_alone(loop, tmp_path):
    endpoints = bind(
        loop, tmp_path, grpc_socket_path=tmp_path / "s", grpc_port=None, rest_port=None
    )
    assert endpoints.describe() == f"gRPC unix:{tmp_path / 's'}"
    loop.call(endpoints.stop())


def test_probes_and_metrics_of_a_server(loop, tmp_path, monitored):
    endpoints = bind(loop, tmp_path, grpc_port=None, monitoring_config_file=monitored)
    loop.call(endpoints.start(create_core()))
    url = f"http://127.0.0.1:{endpoints.rest_port}"
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/healthz").text == client.get("/readyz").text == "ok\n"
        assert client.get("/v1/models/m").status_code == 404
        metrics = client.get("/monitoring/prometheus/metrics").text
    assert ":tensorflow:serving:request_count" in metrics
    loop.call(endpoints.stop())


def test_rest_port_is_given_back_when_grpc_cannot_be_bound(loop, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        with pytest.raises(StartError, match="cannot bind gRPC port"):
            bind(loop, tmp_path, rest_port=port, grpc_port=taken.getsockname()[1])
        with socket.socket() as again:
            again.bind(("127.0.0.1", port))


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("ssl_config_file", "broken", "text-format tensorflow.serving.SSLConfig: 1:"),
        ("monitoring_config_file", "broken", "text-format tensorflow.serving.MonitoringConfig: 1:"),
        ("grpc_channel_arguments", "grpc.a", "'grpc.a' is not name=value"),
        ("grpc_socket_path", "/nowhere/s", "there is no such folder"),
    ],
)
def test_bad_option_is_one_line_before_tensorflow_is_imported(tmp_path, flag, value, message):
    (tmp_path / "broken").write_text("nonsense: {")
    command = [
        sys.executable, "-X", "importtime", "-m", "darkroom.serving.model_server", "--port=0",
        f"--model_base_path={tmp_path}",
        f"--{flag}={tmp_path / value if value == 'broken' else value}",
    ]  # fmt: skip
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert process.returncode == 1
    lines = [line for line in process.stderr.splitlines() if not line.startswith("import time:")]
    assert len(lines) == 1
    assert message in lines[0]
    imported = {line.split("|")[-1].strip() for line in process.stderr.splitlines()}
    assert "pydantic" in imported
    assert "tensorflow" not in imported


def test_second_signal_kills_a_server_that_waits_for_a_request(server, tmp_path):
    command = [
        sys.executable, "-m", "darkroom.serving.model_server", "--model_name=zoo", "--port=0",
        f"--model_base_path={server.config.model_base_path}", "--rest_api_port=0",
        f"--port_file={tmp_path / 'ports'}",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = wait_for_file(tmp_path / "ports", process)["rest"]
        with socket.create_connection(("127.0.0.1", port)) as client:
            # A request that has begun and does not end keeps the first signal waiting.
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
            time.sleep(0.3)
            process.terminate()
            time.sleep(1)
            assert process.poll() is None
            process.terminate()
            assert process.wait(20) == -15
    finally:
        process.kill()
        process.wait()
