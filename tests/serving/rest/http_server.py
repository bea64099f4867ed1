"""A REST server without models, and a client that sends any bytes it likes."""

import asyncio
import contextlib
import json
import math
import socket
from dataclasses import dataclass, field

from darkroom.serving.model_server.event_loop import EventLoopThread
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.observer import Observer
from darkroom.serving.model_server.rest.handler import RestHandler
from darkroom.serving.model_server.rest.messages import RestResponse
from darkroom.serving.model_server.rest.protocol import Limits
from darkroom.serving.model_server.rest.server import RestServer
from darkroom.serving.model_server.rest.service import RestService
from darkroom.tests.serving.models.fakes import create_core

ECHO = "/v1/models/echo:predict"
SLOW = "/v1/models/slow:predict"
BIG = "/v1/models/big:predict"
BIG_BYTES = 20_000_000


class Handler(RestHandler):
    """Answers what the API would refuse, and three paths of its own."""

    def __init__(self):
        super().__init__(create_core())
        self.release = asyncio.Event()
        self.cancelled = 0

    async def handle(self, method, path, body, record=None):
        if path == SLOW:
            record.api, record.model_name = "Predict", "slow"
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if path == BIG:
            return RestResponse(200, bytes(BIG_BYTES))
        if path in (ECHO, SLOW):
            return RestResponse(200, json.dumps({"method": method, "body": len(body)}).encode())
        return await super().handle(method, path, body, record)


class Records(Observer):
    """Keeps what it is told."""

    def __init__(self):
        super().__init__(Metrics())
        self.all = []

    def end(self, record):
        super().end(record)
        self.all.append(record)


@dataclass
class Running:
    """A server in a thread."""

    loop: EventLoopThread
    server: RestServer
    handler: Handler
    records: Records
    ready: list = field(default_factory=lambda: [True])

    def connect(self, timeout_seconds=20):
        return RawClient(self.server.port, timeout_seconds)

    def ask(self, request):
        """Returns the answer to one request on a connection of its own."""
        with self.connect() as client:
            client.send(request)
            return client.read()

    def is_alive(self):
        return self.ask(post(b"{}")).status == 200

    def release(self):
        self.loop.call(self._release())

    async def _release(self):
        self.handler.release.set()

    def begin_stop(self):
        """Returns the future of the stop."""
        return self.loop.submit(self.server.stop())


@contextlib.contextmanager
def run_server(
    *,
    max_request_bytes=1_000_000,
    client_seconds=20.0,
    timeout_seconds=20.0,
    drain_seconds=0,
    **options,
):
    loop = EventLoopThread()

    async def start():
        handler, records, ready = Handler(), Records(), [True]
        server = RestServer("127.0.0.1", 0)
        service = RestService(
            handler,
            lambda: ready[0],
            lambda: b"metric 1\n" * 1000,
            max_request_bytes,
            **options,
        )
        await server.start(
            service.respond,
            records,
            Limits(max_request_bytes, client_seconds or math.inf, timeout_seconds),
            drain_seconds,
        )
        return Running(loop, server, handler, records, ready)

    running = loop.call(start())
    try:
        yield running
    finally:
        loop.call(running.server.stop())
        loop.stop()


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def error(self):
        return json.loads(self.body)["error"]


class RawClient:
    """One connection."""

    def __init__(self, port, timeout_seconds=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_seconds)
        # Else each second segment waits for 40 ms.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self, has_body=True):
        """Returns the next answer; fails if the server closes instead."""
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = int(headers.get("content-length", 0)) if has_body else 0
        while len(self._buffer) < size:
            self._receive()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return Answer(int(start.split()[1]), headers, body)

    def _receive(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise EOFError(self._buffer)
        self._buffer += data

    def read_rest(self):
        """Returns what still comes until the server closes the connection."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                self._receive()
        return self._buffer


def post(body, path=ECHO, *headers, version="1.1"):
    lines = [f"POST {path} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def get(path, *headers, method="GET", version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: x", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunked(*chunks, path=ECHO):
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
