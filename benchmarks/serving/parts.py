"""The three measurements: the digits model, ResNet50, and the overhead alone."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from darkroom.benchmarks.serving.load import Job
from darkroom.benchmarks.serving.models import saved_model_path
from darkroom.benchmarks.serving.processes import (
    Server,
    flask_server,
    model_server,
    put_load,
    run_module,
    wait_for_answers,
)
from darkroom.benchmarks.serving.profile import record_profile
from darkroom.benchmarks.serving.requests import write_requests

SATURATION: Final = 64
"""Callers that keep a server busy, each with one image a request."""
RESNET50_BATCH_SIZE: Final = 16
SLOWEST_RATE: Final = 0.1
"""Requests per second at half load, where hardly one was answered at saturation."""
PROTOCOLS: Final = ("rest", "grpc")
EXPECTED: Final = {"digits": "label", "resnet50": "label", "adder": "3.0"}
"""What every right answer contains."""
BATCHING: Final = """\
max_batch_size {{ value: {size} }}
batch_timeout_micros {{ value: {micros} }}
max_enqueued_batches {{ value: 1000 }}
num_batch_threads {{ value: {threads} }}
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How long and how to measure.

    Attributes:
        models: Folder of the models and the requests.
        work: Folder for logs and profiles.
        seconds: Of each load.
        warm_up_seconds: Of the same load before.
        limit_seconds: Of each batch size of the model alone.
        batch_size: `max_batch_size` where batching is on.
        profile: Whether to record where the time goes, after the loads with batching and the
            overhead's.
        note: Says what is measured next.
        show: Is given each row as soon as it is measured.
    """

    models: Path
    work: Path
    seconds: float
    warm_up_seconds: float
    limit_seconds: float
    batch_size: int
    batch_micros: int
    batch_threads: int
    profile: bool
    note: Callable[[str], None]
    show: Callable[[Row], None]

    @property
    def batching(self) -> str:
        """`BatchingParameters` as text."""
        return BATCHING.format(
            size=self.batch_size, micros=self.batch_micros, threads=self.batch_threads
        )


def digits(plan: Plan) -> list[Row]:
    """The recipe's model: limit, server with and without batching, Flask."""
    rows = [_limit(plan, "digits")]
    for batching in (True, False):
        with _server(plan, "digits", batching) as server:
            for protocol in PROTOCOLS:
                job = create_job(plan, server, "digits", protocol)
                name = _name(protocol, batching)
                rows += _three_loads(plan, server, job, name)
                if plan.profile and batching:
                    rows[-1]["profile"] = _profile(plan, server, job, name)
    with flask_server(plan.work / "flask", saved_model_path(plan.models, "digits")) as server:
        job = create_job(plan, server, "digits", "flask")
        rows += _three_loads(plan, server, job, "Flask")
    compare(rows)
    return rows


def resnet50(plan: Plan) -> list[Row]:
    """A model that costs much more than the server: limit, server with batching."""
    rows = [_limit(plan, "resnet50")]
    # Answers come a batch at a time; small ones let the measured time end close to one.
    plan = replace(plan, batch_size=min(plan.batch_size, RESNET50_BATCH_SIZE))
    with _server(plan, "resnet50", batching=True) as server:
        for protocol in PROTOCOLS:
            job = create_job(plan, server, "resnet50", protocol)
            # An answer takes seconds.
            job = replace(job, warm_up_seconds=2 * plan.warm_up_seconds, seconds=3 * plan.seconds)
            wait_for_answers(job)
            rows.append(_load(plan, server, job, _name(protocol, True), "saturation"))
    compare(rows)
    return rows


def overhead(plan: Plan) -> list[Row]:
    """A model that adds two numbers: all that is measured is the server."""
    rows = []
    for batching in (False, True):
        with _server(plan, "adder", batching) as server:
            for protocol in PROTOCOLS:
                name = _name(protocol, batching)
                job = create_job(plan, server, "adder", protocol)
                rows += overhead_rows(plan, server, job, name)
                if plan.profile:
                    rows[-1]["profile"] = _profile(plan, server, job, name)
    return rows


def overhead_rows(plan: Plan, server: Server, job: Job, name: str) -> list[Row]:
    """The overhead at one caller and at saturation, over one protocol."""
    wait_for_answers(job)
    return [
        _load(plan, server, replace(job, callers=1), name, "1 caller"),
        _load(plan, server, job, name, "saturation"),
    ]


def _profile(plan: Plan, server: Server, job: Job, name: str) -> str:
    plan.note(f"{name}: profile")
    file = plan.work / f"{job.protocol}-{'batching' in name}.folded"
    job = replace(job, seconds=job.seconds + 2)
    with record_profile(server.pid, job.seconds, file) as profile:
        put_load(server, job)
    return profile.table()


def _limit(plan: Plan, name: str) -> Row:
    plan.note(f"{name}: the model alone")
    path = str(saved_model_path(plan.models, name))
    seconds = plan.limit_seconds
    # A call at the largest batch size may take several times as long as asked for.
    output = run_module(
        "darkroom.benchmarks.serving.limit",
        path,
        name,
        str(seconds),
        timeout_seconds=300 + 20 * seconds,
    )
    result = json.loads(output.splitlines()[-1])
    row = {
        "what": f"model alone, batches of {result['best_batch_size']}",
        "load": "1 caller",
        "rate": result["rate"],
        "call_p50_ms": result["call_p50_ms"],
        "rates": result["rates"],
        "server_micros_per_request": result["micros"],
    }
    plan.show(row)
    return row


@contextlib.contextmanager
def _server(plan: Plan, name: str, batching: bool) -> Iterator[Server]:
    work = plan.work / f"{name}-{'batching' if batching else 'plain'}"
    plan.note(f"{name}: starting a server {'with' if batching else 'without'} batching")
    text = plan.batching if batching else ""
    with model_server(work, name, plan.models / name, text) as server:
        yield server


def create_job(plan: Plan, server: Server, name: str, protocol: str) -> Job:
    """Returns the job that saturates a server by `rest`, `grpc` or `flask`; writes its requests."""
    folder = plan.models / "requests" / name
    write_requests(folder, name)
    expected = EXPECTED[name]
    if protocol == "grpc" and name == "adder":
        expected = "z"
    return Job(
        protocol="grpc" if protocol == "grpc" else "rest",
        address=server.grpc if protocol == "grpc" else server.rest,
        path="/predict" if protocol == "flask" else f"/v1/models/{name}:predict",
        requests=str(folder / protocol),
        expected=expected,
        callers=SATURATION,
        warm_up_seconds=plan.warm_up_seconds,
        seconds=plan.seconds,
    )


def _name(protocol: str, batching: bool) -> str:
    label = "REST" if protocol == "rest" else "gRPC"
    return f"{label}, batching" if batching else label


def _load(plan: Plan, server: Server, job: Job, name: str, load: str) -> Row:
    plan.note(f"{name}: {load}")
    row = {"what": name, "load": load, **put_load(server, job)}
    plan.show(row)
    return row


def _three_loads(plan: Plan, server: Server, job: Job, name: str) -> list[Row]:
    wait_for_answers(job)
    saturated = _load(plan, server, job, name, "saturation")
    half = replace(job, rate=max(saturated["rate"] / 2, SLOWEST_RATE))
    return [
        _load(plan, server, replace(job, callers=1), name, "1 caller"),
        _load(plan, server, half, name, "half load"),
        saturated,
    ]


def compare(rows: Sequence[Row]) -> None:
    """Adds the ratios that the measurement is about."""
    limit = rows[0]
    flask = next((r for r in rows if r["what"] == "Flask" and r["load"] == "saturation"), None)
    for row in rows[1:]:
        if row["load"] == "saturation":
            row["of_limit"] = row["rate"] / limit["rate"]
            if flask is not None and row is not flask:
                row["times_flask"] = row["rate"] / flask["rate"]
        row["p99_in_calls"] = row["p99_ms"] / limit["call_p50_ms"]
