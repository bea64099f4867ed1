"""One HTTP connection: its requests are answered one by one, in the order they came in."""

import asyncio
import functools
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

from darkroom.serving.model_server.deadlines import TIMED_OUT, find_end
from darkroom.serving.model_server.errors import Code, StatusError
from darkroom.serving.model_server.operations.observer import Observer
from darkroom.serving.model_server.operations.request_record import RequestRecord
from darkroom.serving.model_server.rest.messages import HttpRequest, RestResponse
from darkroom.serving.model_server.rest.refusals import refuse, respond_error
from darkroom.serving.model_server.rest.request_reader import Refusal, RequestReader

LINGER_SECONDS: Final = 2.0
"""How long a refused client may go on sending: closed at once, it might never see the refusal."""

Respond = Callable[[HttpRequest, RequestRecord], Awaitable[RestResponse]]
"""Answers a request, and fills in its record on the way; raises nothing."""

_CLIENT_GONE: Final = RestResponse(Code.CANCELLED.http_status, b"", code=Code.CANCELLED)
_TIMED_OUT: Final = respond_error(StatusError(Code.DEADLINE_EXCEEDED, TIMED_OUT))
_STOPPING: Final = respond_error(StatusError(Code.UNAVAILABLE, "The server is stopping"))


@dataclass(frozen=True)
class Limits:
    """What one connection may do.

    Attributes:
        max_request_bytes: Most bytes of a body.
        client_seconds: How long a client may take to send a request, to begin with the next one,
            and to take an answer.
        answer_seconds: Seconds until a request is answered 504, and what computes it is stopped;
            None waits for ever.
    """

    max_request_bytes: int
    client_seconds: float = math.inf
    answer_seconds: float | None = None


class Connection(asyncio.Protocol):
    """One connection; it is one of `connections` from its beginning to its end."""

    _transport: asyncio.Transport

    def __init__(
        self,
        respond: Respond,
        observer: Observer,
        limits: Limits,
        connections: set["Connection"],
    ) -> None:
        self._respond = respond
        self._observer = observer
        self._limits = limits
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(limits.max_request_bytes, self._take_head, self._take)
        self._queue: deque[HttpRequest | RestResponse] = deque()
        self._work: asyncio.Task[None] | None = None
        self._answering = False
        self._instead = _STOPPING
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = self._lingering = self._stopping = False
        self._wait(limits.client_seconds)

    # What the transport calls.

    def connection_made(self, transport: Any) -> None:
        """Begins."""
        self._transport = transport
        self._peer = _describe_peer(transport.get_extra_info("peername"))
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives up what the client will not hear."""
        self._connections.discard(self)
        self._ended = True
        self._queue.clear()
        self._writable.set()
        self._cut_off(_CLIENT_GONE)

    def data_received(self, data: bytes) -> None:
        """Reads, unless no further request is answered."""
        if self._ended:
            return
        was_receiving = self._reader.receiving
        try:
            self._reader.feed(data)
        except Refusal as refusal:
            self._take(refusal.response)
        if self._reader.receiving and not was_receiving:
            self._wait(self._limits.client_seconds)

    def pause_writing(self) -> None:
        """Begins to wait for the client to take what has been written."""
        self._writable.clear()
        self._wait(self._limits.client_seconds)

    def resume_writing(self) -> None:
        """Goes on with the next answer."""
        self._writable.set()
        self._wait(self._limits.client_seconds)

    # What the server calls.

    def close_if_late(self, now: float) -> None:
        """Ends the connection of a client that has kept this server waiting for too long."""
        if now - self._since <= self._patience:
            return
        if self._lingering or self._transport.is_closing() or not self._writable.is_set():
            self._transport.abort()
        elif self._work is None and self._reader.receiving:
            message = f"No whole request came within {self._limits.client_seconds:g} seconds"
            self._take(refuse(HTTPStatus.REQUEST_TIMEOUT, message))
        elif self._work is None:
            self._transport.close()

    def shutdown(self) -> None:
        """Closes the connection once what it has begun to send is answered."""
        self._stopping = True
        if self._lingering or (self._work is None and not self._reader.receiving):
            self._transport.close()

    def stop(self) -> None:
        """Answers what it works on, if only that it is over, and nothing else."""
        self._queue.clear()
        if self._answering:
            self._cut_off(_STOPPING)
        else:
            self._transport.abort()

    def abort(self) -> None:
        """Closes the connection at once."""
        self._transport.abort()

    # Requests and refusals, in their order.

    def _take_head(self) -> None:
        if self._work is None:
            self._give_leave()
        elif not self._ended:
            # Else a client might fill the memory of a server that is busy.
            self._transport.pause_reading()

    def _give_leave(self) -> None:
        if self._reader.waits_for_leave():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take(self, item: HttpRequest | RestResponse) -> None:
        if self._ended:
            return
        self._ended = isinstance(item, RestResponse) or not item.keep_alive
        self._queue.append(item)
        if self._work is None:
            self._work = self._loop.create_task(self._answer_all())

    async def _answer_all(self) -> None:
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, RestResponse):
                self._linger(item)
                break
            response = await self._answer(item)
            await self._writable.wait()
            self._write(response, item)
        self._work = None
        if not self._transport.is_closing() and not self._lingering:
            self._wait(self._limits.client_seconds)
            self._transport.resume_reading()
            self._give_leave()

    async def _answer(self, request: HttpRequest) -> RestResponse:
        seconds = self._limits.answer_seconds
        record = RequestRecord(
            "REST",
            request_bytes=len(request.body),
            peer=self._peer,
            request_id=request.headers.get(b"x-request-id", b"").decode("latin-1"),
            deadline=find_end(seconds),
        )
        self._observer.begin(record)
        timer = self._loop.call_later(seconds, self._cut_off, _TIMED_OUT) if seconds else None
        self._answering, self._instead = True, _STOPPING
        try:
            response = await self._respond(request, record)
        except asyncio.CancelledError:
            response = self._instead
        self._answering = False
        if timer is not None:
            timer.cancel()
        record.code, record.http_status = response.code, response.status
        record.response_bytes = len(response.body)
        self._observer.end(record)
        return response

    def _cut_off(self, response: RestResponse) -> None:
        """Ends the work on a request: this is its answer instead."""
        if self._answering and self._work is not None:
            self._answering, self._instead = False, response
            self._work.cancel()

    def _write(self, response: RestResponse, request: HttpRequest) -> None:
        if self._transport.is_closing():
            return
        is_last = self._stopping and not self._queue and not self._reader.receiving
        close = is_last or not request.keep_alive
        head = response.write_head(_format_date(int(time.time())), close)
        # Not joined: an answer may have many megabytes.
        self._transport.writelines([head] if request.method == "HEAD" else [head, response.body])
        if close:
            self._transport.close()

    def _linger(self, refusal: RestResponse) -> None:
        self._lingering = True
        self._transport.write(refusal.write_head(_format_date(int(time.time())), True))
        self._transport.write(refusal.body)
        self._wait(min(LINGER_SECONDS, self._limits.client_seconds))
        self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _wait(self, seconds: float) -> None:
        self._since = self._loop.time()
        self._patience = seconds


@functools.lru_cache(maxsize=1)
def _format_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _describe_peer(address: Any) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
