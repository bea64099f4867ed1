"""Servers and load generators as processes, and the CPU time that they take."""

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import psutil

from darkroom.benchmarks.serving.load import ANSWER_SECONDS, Job

FLASK_WORKERS: Final = 2
FLASK_LOADED: Final = "the model is loaded"
"""What each of them says once it can answer."""
START_SECONDS: Final = 180.0
"""How long a server may take to load its model."""
STOP_SECONDS: Final = 40.0
_ENVIRONMENT: Final = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


class BenchmarkError(Exception):
    """A measurement that is not to be had; the message says why."""


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes:
        pid: Of its first process; the others are that one's children.
        rest: Host and port.
        grpc: Host and port; empty if it has none.
    """

    pid: int
    rest: str
    grpc: str = ""

    def cpu_seconds(self) -> float:
        """Returns the CPU time that all its processes have taken so far."""
        parent = psutil.Process(self.pid)
        times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
        return sum(each.user + each.system for each in times)


@contextlib.contextmanager
def model_server(work: Path, name: str, base_path: Path, batching: str = "") -> Iterator[Server]:
    """Runs the model server on free ports; `batching` is `BatchingParameters` as text, or empty."""
    work.mkdir(parents=True, exist_ok=True)
    port_file = work / "ports"
    port_file.unlink(missing_ok=True)
    command = [
        "darkroom.serving.model_server", f"--model_name={name}", f"--model_base_path={base_path}",
        "--port=0", "--rest_api_port=0", f"--port_file={port_file}",
    ]  # fmt: skip
    if batching:
        (work / "batching").write_text(batching)
        command += ["--enable_batching", f"--batching_parameters_file={work / 'batching'}"]

    def find_ports() -> Server | None:
        if not port_file.exists():
            return None
        ports = json.loads(port_file.read_text())
        return Server(process.pid, f"127.0.0.1:{ports['rest']}", f"127.0.0.1:{ports['grpc']}")

    with _process(command, work / "log") as process:
        yield _wait(find_ports, process, work / "log")


@contextlib.contextmanager
def flask_server(work: Path, model_path: Path) -> Iterator[Server]:
    """Runs the Flask app under Gunicorn with two workers on a free port."""
    work.mkdir(parents=True, exist_ok=True)
    log = work / "log"
    app = f"darkroom.benchmarks.serving.flask_app:create_app({str(model_path)!r})"
    options = [
        f"--workers={FLASK_WORKERS}",
        "--bind=127.0.0.1:0",
        "--timeout=120",
        "--log-level=info",
    ]

    def find_port() -> Server | None:
        text = log.read_text()
        bound = re.search(r"Listening at: http://([\d.:]+)", text)
        # A worker that still loads its model leaves all requests to the other.
        are_loaded = text.count(FLASK_LOADED) == FLASK_WORKERS
        return Server(process.pid, bound[1]) if bound is not None and are_loaded else None

    with _process(["gunicorn", *options, app], log) as process:
        yield _wait(find_port, process, log)


@contextlib.contextmanager
def _process(module: Sequence[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", *module],
            stdout=output, stderr=subprocess.STDOUT, env=_ENVIRONMENT,
        ) as process,
    ):  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(
    find: Callable[[], Server | None], process: "subprocess.Popen[bytes]", log: Path
) -> Server:
    deadline = time.monotonic() + START_SECONDS
    while (server := find()) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").strip().splitlines()[-5:]
            raise BenchmarkError("a server did not start:\n" + "\n".join(lines))
        time.sleep(0.1)
    return server


def run_module(module: str, *arguments: str, timeout_seconds: float) -> str:
    """Runs `python -m` and returns what it wrote; BenchmarkError if it fails or takes too long."""
    command = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_seconds, env=_ENVIRONMENT
        )
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{module} took longer than {timeout_seconds:.0f} s") from None
    if done.returncode != 0:
        raise BenchmarkError(f"{module} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def wait_for_answers(job: Job) -> None:
    """Waits until each caller has had an answer: models are traced, and Gunicorn's workers loaded.

    Raises:
        BenchmarkError: That took too long.
    """
    first = json.dumps(asdict(replace(job, seconds=0.0, rate=0.0)))
    run_module("darkroom.benchmarks.serving.load", first, timeout_seconds=START_SECONDS)


def put_load(server: Server, job: Job) -> dict[str, Any]:
    """Puts a server under load; returns the generator's numbers and the server's CPU time.

    Raises:
        BenchmarkError: The generator failed, or what was answered were errors only.
    """
    command = [sys.executable, "-m", "darkroom.benchmarks.serving.load", json.dumps(asdict(job))]
    limit_seconds = job.warm_up_seconds + job.seconds + ANSWER_SECONDS
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=_ENVIRONMENT
        ) as process,
    ):
        guard = threading.Timer(limit_seconds, process.kill)
        guard.start()
        try:
            result = _follow(process, server)
        finally:
            guard.cancel()
            process.kill()
        if result is None:
            errors.seek(0)
            raise BenchmarkError(f"the load generator failed:\n{errors.read()[-2000:]}")
    requests, errors_by_kind = result["requests"], result["errors"]
    if not requests and errors_by_kind:
        raise BenchmarkError(f"{job.protocol} at {job.address}: no answers, {errors_by_kind}")
    # None at all is possible where one answer takes longer than the measured time.
    micros = result["server_cpu_seconds"] / requests * 1e6 if requests else math.nan
    result["server_micros_per_request"] = micros
    return result


def _follow(process: "subprocess.Popen[str]", server: Server) -> dict[str, Any] | None:
    """Reads the server's CPU time when the measured time begins and ends."""
    assert process.stdout is not None
    cpu: list[float] = []
    for line in process.stdout:
        if line.startswith("{"):
            return {**json.loads(line), "server_cpu_seconds": cpu[1] - cpu[0]}
        cpu.append(server.cpu_seconds())
    return None
