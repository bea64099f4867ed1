"""The server as a process: ports, signals, exit codes."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from darkroom.serving.client import GrpcClient, RestClient
from darkroom.serving.warmup import WARMUP_FILE
from darkroom.tests.serving.saved_models import save_constant, save_zoo


def wait_for_file(path, process, timeout_seconds=120):
    deadline = time.monotonic() + timeout_seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return json.loads(path.read_text())


def test_process_serves_until_sigterm_and_exits_with_0(tmp_path):
    save_constant(tmp_path / "model" / "1", 7)
    command = [
        sys.executable, "-m", "darkroom.serving.model_server", "--model_name=c",
        f"--model_base_path={tmp_path / 'model'}", "--port=0", "--rest_api_port=0",
        f"--port_file={tmp_path / 'ports'}", "--enable_profiler",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            ports = wait_for_file(tmp_path / "ports", process)
            url = f"http://127.0.0.1:{ports['rest']}"
            with RestClient(url, "c") as client:
                answer = client.predict_raw({"x": np.zeros(2)})
            process.send_signal(signal.SIGTERM)
            output, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert answer["value"].tolist() == [7.0, 7.0]
    assert process.returncode == 0
    assert output == f"serving c: REST {url} gRPC 127.0.0.1:{ports['grpc']}\n"
    assert "--enable_profiler is accepted, but this server does not follow it" in errors
    assert "Traceback" not in errors


def test_port_that_is_taken_is_one_line_before_tensorflow_is_imported(server, tmp_path):
    command = [
        sys.executable, "-m", "darkroom.serving.model_server", f"--model_base_path={tmp_path}",
        "--port=0", f"--rest_api_port={server.rest_port}",
    ]  # fmt: skip
    started = time.monotonic()
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert f"cannot bind REST port {server.rest_port}" in process.stderr
    assert time.monotonic() - started < 30


@contextlib.contextmanager
def run_server(tmp_path, *flags):
    """Runs a server as a process; kills it at the end."""
    command = [
        sys.executable, "-m", "darkroom.serving.model_server", "--rest_api_port=0", "--port=0",
        f"--port_file={tmp_path / 'ports'}", *flags,
    ]  # fmt: skip
    (tmp_path / "ports").unlink(missing_ok=True)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def write_config(path, *models):
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" }}\n'
        for name, base_path in models
    )
    path.write_text(f"model_config_list {{\n{entries}}}\n")
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "model_config_list { config { nme: 'a' } }",
            "Error parsing text-format tensorflow.serving.ModelServerConfig: 1:30: ",
        ),
        (
            "model_config_list {",
            r"Error parsing text-format tensorflow.serving.ModelServerConfig: 1:\d+: ",
        ),
        (
            'model_config_list { config { name: "a" model_platform: "tensorflow" base_path: "m" }}',
            r"Expected model a to have an absolute path or URI; got base_path\(\)=m",
        ),
        (None, "cannot read .*models.config: No such file or directory"),
    ],
)
def test_bad_model_configuration_is_one_line_before_tensorflow_is_imported(
    tmp_path, content, message
):
    path = tmp_path / "models.config"
    if content is not None:
        path.write_text(content)
    # What TensorFlow's own modules would need is not to be found.
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise SystemExit('imported')")
    process = subprocess.run(
        [
            sys.executable, "-m", "darkroom.serving.model_server", f"--model_config_file={path}",
            "--port=0",
        ],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert process.returncode == 1 and process.stdout == ""
    assert process.stderr.count("\n") == 1 and "imported" not in process.stderr
    assert re.search(f"model_server: --model_config_file: .*{message}", process.stderr)


@pytest.mark.e2e
def test_killed_server_serves_again_on_the_same_ports_and_socket(tmp_path):
    save_constant(tmp_path / "a" / "1", 1)
    save_constant(tmp_path / "b" / "1", 2)
    config = write_config(tmp_path / "models.config", ("a", tmp_path / "a"), ("b", tmp_path / "b"))
    socket = tmp_path / "grpc.sock"
    flags = [f"--model_config_file={config}", f"--grpc_socket_path={socket}"]
    with run_server(tmp_path, *flags) as process:
        ports = wait_for_file(tmp_path / "ports", process)
        # In the middle of a request, with the connections open.
        with RestClient(f"http://127.0.0.1:{ports['rest']}", "a") as client:
            client.predict_raw({"x": np.zeros(2)})
            process.kill()
            process.wait(60)
    assert process.returncode == -signal.SIGKILL and socket.exists()
    # The last of two flags counts.
    flags += [f"--rest_api_port={ports['rest']}", f"--port={ports['grpc']}"]
    with run_server(tmp_path, *flags) as process:
        assert wait_for_file(tmp_path / "ports", process) == ports
        for name, value in (("a", 1.0), ("b", 2.0)):
            with RestClient(f"http://127.0.0.1:{ports['rest']}", name) as client:
                assert client.predict_raw({"x": np.zeros(1)})["value"].tolist() == [value]
            for address in (f"127.0.0.1:{ports['grpc']}", f"unix:{socket}"):
                with GrpcClient(address, name) as client:
                    answer = client.predict_raw({"x": np.zeros(1, np.float32)})
                    assert answer["value"].tolist() == [value]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in errors


@pytest.mark.e2e
def test_sigterm_while_a_model_loads_ends_the_server_at_once_with_0(tmp_path):
    save_zoo(tmp_path / "m" / "1")
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = "spin"
    # Half an hour of work.
    request.inputs["steps"].CopyFrom(tf.make_tensor_proto(np.array([20_000_000])))
    warmup = tmp_path / "m" / "1" / WARMUP_FILE
    warmup.parent.mkdir()
    with tf.io.TFRecordWriter(str(warmup)) as writer:
        writer.write(log.SerializeToString())
    with run_server(tmp_path, f"--model_base_path={tmp_path / 'm'}") as process:
        for line in process.stderr:
            if "loading version 1" in line:
                break
        time.sleep(3)
        assert process.poll() is None
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "")
    assert "stopped before all models were loaded" in errors and "Traceback" not in errors
    assert time.monotonic() - started < 20
