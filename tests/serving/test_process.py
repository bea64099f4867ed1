"""The server as a process: ports, signals, exit codes."""

import json
import signal
import subprocess
import sys
import time

import numpy as np

from serving.client import RestClient
from tests.serving.saved_models import save_constant


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
        sys.executable, "-m", "serving.model_server", "--model_name=c",
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
        sys.executable, "-m", "serving.model_server", f"--model_base_path={tmp_path}",
        "--port=0", f"--rest_api_port={server.rest_port}",
    ]  # fmt: skip
    started = time.monotonic()
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert f"cannot bind REST port {server.rest_port}" in process.stderr
    assert time.monotonic() - started < 30
