"""The embedded model server as a process of its own."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from darkroom.runner.session import RunError
from darkroom.storage.object_store import is_uri

_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 30.0


@dataclass(frozen=True)
class ServedModel:
    """A model server that runs.

    Attributes:
        process: It.
        rest: Its REST address, such as http://127.0.0.1:8501.
        grpc: Its gRPC address, such as 127.0.0.1:8500.
    """

    process: "subprocess.Popen[bytes]"
    rest: str
    grpc: str


@contextlib.contextmanager
def serve_model(
    destination: str,
    model_name: str,
    log: Path,
    host: str = "127.0.0.1",
    ports: tuple[int, int] = (0, 0),
) -> Iterator[ServedModel]:
    """Runs the model server until the block ends; a version is loaded when it begins.

    Args:
        destination: The serving folder, a recipe's `push.destination`.
        model_name: Name to serve it under.
        log: File for what the server says.
        host: Address to listen on.
        ports: Of REST and gRPC; 0: a free one.

    Raises:
        RunError: It is in an object store, the server did not start, or no version was loaded.
    """
    if is_uri(destination):
        raise RunError(
            f"{destination} is in an object store; the embedded model server reads folders; "
            "serve it with TensorFlow Serving, as docs/deploy.md says"
        )
    scratch = tempfile.TemporaryDirectory()
    port_file = Path(scratch.name) / "ports.json"
    command = [sys.executable, "-m", "darkroom.serving.model_server", f"--host={host}"]
    command += [f"--rest_api_port={ports[0]}", f"--port={ports[1]}", f"--port_file={port_file}"]
    command += [f"--model_name={model_name}", f"--model_base_path={Path(destination).absolute()}"]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        found = _wait_for_ports(process, port_file, log)
        server = ServedModel(process, f"http://{host}:{found['rest']}", f"{host}:{found['grpc']}")
        _wait_for_version(server, model_name, log)
        yield server
    finally:
        _stop(process)
        scratch.cleanup()


def _wait_for_ports(
    process: "subprocess.Popen[bytes]", port_file: Path, log: Path
) -> dict[str, int]:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if port_file.exists():
            return json.loads(port_file.read_text())
        time.sleep(0.1)
    raise RunError(f"the model server did not start: {_last_line(log)} ({log})")


def _wait_for_version(server: ServedModel, model_name: str, log: Path) -> None:
    from darkroom.serving.client import RestClient

    deadline = time.monotonic() + _START_SECONDS
    with RestClient(server.rest, model_name) as client:
        while time.monotonic() < deadline and server.process.poll() is None:
            if any(status.state == "AVAILABLE" for status in client.get_status()):
                return
            time.sleep(0.1)
    raise RunError(f"the model server loaded no version: {_last_line(log)} ({log})")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
