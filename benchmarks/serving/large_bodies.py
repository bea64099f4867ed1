"""One large JSON body, and how long others wait meanwhile: the part `large_bodies`."""

import base64
import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psutil

from darkroom.benchmarks.serving.parts import Plan, Row
from darkroom.benchmarks.serving.processes import BenchmarkError, Server, model_server

BODY_BYTES: Final = 60_000_000
PAUSE_SECONDS: Final = 0.005
"""Between an answer to the small request and the next such request."""
ANSWER_SECONDS: Final = 300.0
SMALL: Final = json.dumps({"instances": [[1.0]]}).encode()
_IMAGE: Final = {"b64": base64.b64encode(bytes(range(256)) * 80).decode()}


def _predict(key: str, element: Any, **rest: Any) -> bytes:
    """Returns a document of about the size that repeats an element."""
    text = json.dumps(element)
    count = BODY_BYTES // (len(text) + 2)
    head = json.dumps(rest)[:-1] + (", " if rest else "")
    return f'{head}"{key}": [{", ".join([text] * count)}]}}'.encode()


BODIES: Final[dict[str, tuple[str, Callable[[], bytes]]]] = {
    "numbers": ("predict", lambda: _predict("instances", [0.12345] * 100)),
    "numbers in objects": ("predict", lambda: _predict("instances", {"x": [0.12345] * 100})),
    "images": ("predict", lambda: _predict("instances", _IMAGE, signature_name="texts")),
    "short strings": (
        "predict", lambda: _predict("instances", "some words", signature_name="texts")),
    "examples": (
        "regress", lambda: _predict("examples", {"x": [0.5] * 20}, signature_name="regress")),
    "an error at the end": (
        "predict", lambda: _predict("instances", [0.12345] * 100)[:-2] + b', [true]]}'),
}  # fmt: skip


def large_bodies(plan: Plan) -> list[Row]:
    """A body of 60 MB of each kind: the longest wait of those who ask for little."""
    with model_server(plan.work / "counter", "counter", plan.models / "counter") as server:
        _ask(server, "predict", SMALL)
        idle = {"what": "nothing else", "load": "small requests"}
        rows: list[Row] = [{**idle, **_measure(server, lambda: time.sleep(plan.seconds / 4))}]
        for kind, (verb, create) in BODIES.items():
            plan.note(f"a large body: {kind}")
            body = create()
            row = _measure(server, lambda v=verb, b=body: _ask(server, v, b))  # type: ignore[misc]
            rows.append({"what": kind, "load": f"{len(body) / 1e6:.0f} MB", **row})
    return rows


def _measure(server: Server, act: Callable[[], object]) -> Row:
    """Acts, and asks for little meanwhile."""
    thread = threading.Thread(target=act)
    waits, peak = [], 0
    process = psutil.Process(server.pid)
    connection = http.client.HTTPConnection(server.rest, timeout=ANSWER_SECONDS)
    started = time.perf_counter()
    thread.start()
    while thread.is_alive():
        sent = time.perf_counter()
        _post(connection, "predict", SMALL)
        waits.append(time.perf_counter() - sent)
        peak = max(peak, process.memory_info().rss)
        time.sleep(PAUSE_SECONDS)
    seconds = time.perf_counter() - started
    connection.close()
    waits.sort()
    return {
        "answer_seconds": seconds,
        "p50_ms": waits[len(waits) // 2] * 1e3,
        "p99_ms": waits[len(waits) * 99 // 100] * 1e3,
        "longest_ms": waits[-1] * 1e3,
        "memory_mb": peak / 1e6,
    }


def _ask(server: Server, verb: str, body: bytes) -> None:
    connection = http.client.HTTPConnection(server.rest, timeout=ANSWER_SECONDS)
    status = _post(connection, verb, body)
    connection.close()
    if status not in (200, 400):
        raise BenchmarkError(f"a body of {len(body)} bytes was answered {status}")


def _post(connection: http.client.HTTPConnection, verb: str, body: bytes) -> int:
    connection.request("POST", f"/v1/models/counter:{verb}", body)
    response = connection.getresponse()
    response.read()
    return response.status
