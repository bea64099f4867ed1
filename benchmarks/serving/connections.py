"""Connections of the load generator: one request at a time over each."""

import asyncio
import itertools
import re
from typing import Any, Final, Protocol, cast

import grpc

from darkroom.serving import protos

CHANNELS: Final = 4
"""gRPC connections that all callers share; each carries any number of requests at a time."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class NoAnswer(Exception):
    """A request that did not get an answer of success; the text is the kind of failure."""


class Connection(Protocol):
    """A way to the server."""

    is_open: bool

    async def ask(self, request: bytes, timeout_seconds: float) -> bytes:
        """Sends a request and returns its answer's body; NoAnswer where it is none of success."""

    async def close(self) -> None:
        """Closes the connection."""


async def connect(protocol: str, address: str) -> Connection:
    """Opens a connection.

    Args:
        protocol: `rest` or `grpc`.

    Raises:
        OSError: Nobody listens there.
    """
    if protocol == "grpc":
        return GrpcConnection(address)
    host, port = address.rsplit(":", 1)
    _, connection = await asyncio.get_running_loop().create_connection(
        HttpConnection, host, int(port)
    )
    return connection


class HttpConnection(asyncio.Protocol):
    """HTTP/1.1, as far as these servers speak it: every answer has a Content-Length."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self.is_open = False
        self._fail("connection lost")

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._received[:head_end])
        length = _LENGTH.search(head)
        if length is None:
            self._fail("an answer without Content-Length")
        elif len(self._received) >= head_end + 4 + int(length[1]):
            self._finish(head, bytes(self._received[head_end + 4 :]))

    def _finish(self, head: bytes, body: bytes) -> None:
        self._received.clear()
        if _CLOSE.search(head):
            self.is_open = False
        status = head[9:12]
        if status != b"200":
            self._fail(f"HTTP {status.decode()}")
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result(body)

    def _fail(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NoAnswer(reason))

    async def ask(self, request: bytes, timeout_seconds: float) -> bytes:
        """Sends a request, head and body, and returns the answer's body."""
        if self._transport is None or not self.is_open:
            raise NoAnswer("connection lost")
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        timer = loop.call_later(timeout_seconds, self._fail, "no answer in time")
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Closes the connection."""
        self.is_open = False
        if self._transport is not None:
            self._transport.close()


class GrpcConnection:
    """One of a few channels, shared with other callers."""

    _channels: list[Any] = []
    _next = itertools.count()

    def __init__(self, address: str) -> None:
        if len(self._channels) < CHANNELS:
            # Channels with equal options would share one connection.
            options = [("grpc.use_local_subchannel_pool", 1)]
            self._channels.append(grpc.aio.insecure_channel(address, options=options))
        channel = self._channels[next(self._next) % len(self._channels)]
        self._call = channel.unary_unary(protos.PREDICT)
        self.is_open = True

    async def ask(self, request: bytes, timeout_seconds: float) -> bytes:
        """Sends a serialized message and returns the answer's, serialized."""
        try:
            return await self._call(request, timeout=timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise NoAnswer(error.code().name) from None

    async def close(self) -> None:
        """Leaves the channel to the others."""
