"""The load generator, a process of its own: `python -m darkroom.benchmarks.serving.load JOB`.

Lean, so that it takes little of the cores that the server needs: raw sockets with hand-written
HTTP/1.1, messages serialized beforehand, and no TensorFlow. It writes `begin` and `end` as lines
when the measured time begins and ends, then its result as one line of JSON.

With callers alone, each asks again as soon as it is answered (closed loop). With a rate, requests
are sent at random times whatever the answers do (open loop, exponential gaps), which is how
independent users come.
"""

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
import math
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from darkroom.benchmarks.serving.connections import Connection, NoAnswer, connect

MAX_CONNECTIONS: Final = 512
"""In an open loop; what would need more is counted as an error."""
ANSWER_SECONDS: Final = 60.0
"""How long a caller waits for one answer."""


@dataclass(frozen=True)
class Job:
    """What to send where, for how long.

    Attributes:
        protocol: `rest` or `grpc`.
        address: Host and port.
        path: Of the URL; not for gRPC.
        requests: Folder of request bodies, sent in turn; serialized messages for gRPC.
        expected: What every right answer contains.
        callers: How many ask at a time, in a closed loop.
        rate: Requests per second of an open loop; 0 is a closed one.
        warm_up_seconds: Of the same load, before anything counts.
        seconds: Measured time; 0 has each caller ask until it has had one answer, and ends then.
    """

    protocol: str
    address: str
    path: str
    requests: str
    expected: str
    callers: int = 1
    rate: float = 0.0
    warm_up_seconds: float = 1.0
    seconds: float = 5.0


@dataclass
class Recorder:
    """Takes down each request that ends in the measured time."""

    latencies: list[float] = dataclasses.field(default_factory=list)
    lateness: list[float] = dataclasses.field(default_factory=list)
    errors: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    on: bool = False

    def add(self, seconds: float) -> None:
        """One right answer, with the seconds it took."""
        if self.on:
            self.latencies.append(seconds)

    def add_error(self, kind: str) -> None:
        """One request without a right answer; counted in the warm-up too."""
        self.errors[kind] += 1


class Load:
    """One job, under way."""

    def __init__(
        self, job: Job, connect: Callable[[], Awaitable[Connection]], requests: Sequence[bytes]
    ) -> None:
        self._job = job
        self._connect = connect
        self._requests = itertools.cycle(requests)
        self._expected = job.expected.encode()
        self._idle: list[Connection] = []
        self._opened = 0
        self.recorder = Recorder()

    async def run(self) -> dict[str, Any]:
        """Sends the load; returns what came of it."""
        if self._job.seconds == 0:
            await asyncio.gather(*(self._ask_first() for _ in range(self._job.callers)))
            return {}
        if self._job.rate > 0:
            senders = [asyncio.create_task(self._send_at_random())]
        else:
            senders = [asyncio.create_task(self._ask_in_turn()) for _ in range(self._job.callers)]
        await asyncio.sleep(self._job.warm_up_seconds)
        self.recorder.on = True
        _say("begin")
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(self._job.seconds)
        self.recorder.on = False
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        _say("end")
        await _cancel(senders)
        return {"cpu_seconds": cpu, **summarize(self.recorder, seconds)}

    async def _ask_first(self) -> None:
        while True:
            connection = await self._open()
            try:
                await connection.ask(next(self._requests), ANSWER_SECONDS)
                return
            except NoAnswer:
                await asyncio.sleep(0.05)
            finally:
                await connection.close()

    async def _ask_in_turn(self) -> None:
        connection = await self._open()
        while True:
            connection = await self._ask(connection) or await self._open()

    async def _ask(self, connection: Connection) -> Connection | None:
        """Sends one request; returns the connection if it can be used again."""
        began = time.perf_counter()
        try:
            answer = await connection.ask(next(self._requests), ANSWER_SECONDS)
        except NoAnswer as error:
            self.recorder.add_error(str(error))
            await connection.close()
            return None
        if self._expected in answer:
            self.recorder.add(time.perf_counter() - began)
        else:
            self.recorder.add_error("a wrong answer")
        if connection.is_open:
            return connection
        await connection.close()
        return None

    async def _open(self) -> Connection:
        while True:
            try:
                return await self._connect()
            except OSError as error:
                self.recorder.add_error(f"cannot connect: {error.strerror}")
                await asyncio.sleep(0.05)

    async def _send_at_random(self) -> None:
        gaps, due = random.Random(1), time.perf_counter()
        asking: set[asyncio.Task[None]] = set()
        try:
            while True:
                due += gaps.expovariate(self._job.rate)
                late = await _sleep_until(due)
                if self.recorder.on:
                    self.recorder.lateness.append(late)
                task = asyncio.create_task(self._ask_once())
                asking.add(task)
                task.add_done_callback(asking.discard)
        finally:
            await _cancel(list(asking))

    async def _ask_once(self) -> None:
        if not self._idle and self._opened == MAX_CONNECTIONS:
            self.recorder.add_error(f"more than {MAX_CONNECTIONS} requests at a time")
            return
        if not self._idle:
            self._opened += 1
            self._idle.append(await self._open())
        connection = await self._ask(self._idle.pop())
        if connection is None:
            self._opened -= 1
        else:
            self._idle.append(connection)


async def _sleep_until(due: float) -> float:
    """Returns how many seconds late it is: timers count in milliseconds."""
    wait = due - time.perf_counter()
    if wait > 0:
        await asyncio.sleep(wait)
    return time.perf_counter() - due


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)


def summarize(recorder: Recorder, seconds: float) -> dict[str, Any]:
    """Returns the numbers of one load that took so many seconds."""
    latencies = sorted(recorder.latencies)
    return {
        "requests": len(latencies),
        "rate": len(latencies) / seconds,
        "p50_ms": percentile(latencies, 0.5) * 1e3,
        "p99_ms": percentile(latencies, 0.99) * 1e3,
        "late_p99_ms": percentile(sorted(recorder.lateness), 0.99) * 1e3,
        "errors": dict(recorder.errors),
    }


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """Returns the smallest value that this fraction does not exceed; NaN of nothing."""
    return ordered[math.ceil(fraction * len(ordered)) - 1] if ordered else math.nan


def _say(line: str) -> None:
    print(line, flush=True)


def _read_requests(job: Job) -> Iterator[bytes]:
    for file in sorted(Path(job.requests).iterdir()):
        body = file.read_bytes()
        if job.protocol == "grpc":
            yield body
            continue
        yield (
            f"POST {job.path} HTTP/1.1\r\nHost: {job.address}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


async def _main(job: Job) -> None:
    load = Load(job, lambda: connect(job.protocol, job.address), list(_read_requests(job)))
    _say(json.dumps(await load.run()))


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(_main(Job(**json.loads(sys.argv[1]))))
