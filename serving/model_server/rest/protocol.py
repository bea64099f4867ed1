"""uvicorn's HTTP connection, with limits to what a client may send and how long it may take."""

import asyncio
import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.model_server.rest.app import CLIENT_GONE, TASK
from serving.model_server.rest.messages import RestResponse
from serving.model_server.rest.refusals import refuse, refuse_body

MAX_HEAD_BYTES: Final = 64 * 1024
"""Most bytes of a request's first line and headers, and of what else is no body."""
LINGER_SECONDS: Final = 2.0
"""How long a refused client may go on sending: closed at once, it might never see the refusal."""


@dataclass(frozen=True)
class Limits:
    """What one connection may do.

    Attributes:
        max_request_bytes: Most bytes of a body.
        client_seconds: How long a client may take to send a request, to begin with the next one,
            and to take an answer.
    """

    max_request_bytes: int
    client_seconds: float = math.inf


class LimitedProtocol(HttpToolsProtocol):
    """One connection.

    uvicorn itself limits neither: it waits for the end of a request, and gathers a header, for as
    long as they take.

    Args:
        limits: What the connection may do.
        options: uvicorn's own arguments.
    """

    def __init__(self, limits: Limits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._since = self.loop.time()
        self._patience = limits.client_seconds
        self._receiving = False
        self._has_head = False
        self._writing_paused = False
        self._refused = False
        self._stopping = False
        self._body_bytes = 0
        self._head_bytes = 0
        # Bytes in a row that were neither the end of a head nor a body: the parser keeps half a
        # header, however long, without a word.
        self._unread_bytes = 0
        self._progressed = False

    def data_received(self, data: bytes) -> None:
        """Reads, unless the connection has been refused."""
        if self._refused:
            return
        self._progressed = False
        super().data_received(data)
        self._unread_bytes = 0 if self._progressed else self._unread_bytes + len(data)
        if self._unread_bytes > MAX_HEAD_BYTES:
            self._refuse_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives up what the client will not hear."""
        super().connection_lost(exc)
        if self.cycle is not None and not self.cycle.response_complete:
            state = self.cycle.scope["state"]
            if TASK in state:
                state[CLIENT_GONE] = True
                state[TASK].cancel()

    def close_if_late(self, now: float) -> None:
        """Ends the connection of a client that has kept this server waiting for too long.

        Args:
            now: Time of the event loop.
        """
        if now - self._since <= self._patience:
            return
        if self._refused or self._writing_paused or self.transport.is_closing():
            self.transport.abort()
        elif self._receiving:
            seconds = self._limits.client_seconds
            message = f"No whole request came within {seconds:g} seconds"
            self._refuse(refuse(HTTPStatus.REQUEST_TIMEOUT, message))
        elif self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def shutdown(self) -> None:
        """Closes the connection once what it has begun to send is answered."""
        self._stopping = True
        if not self._receiving or self._has_head:
            super().shutdown()

    def pause_writing(self) -> None:
        """Begins to wait for the client to take what has been written."""
        super().pause_writing()
        self._writing_paused = True
        self._wait(self._limits.client_seconds)

    def resume_writing(self) -> None:
        """Goes on with the next answer."""
        super().resume_writing()
        self._writing_paused = False
        self._wait(self._limits.client_seconds)

    def send_400_response(self, msg: str) -> None:
        """Refuses what the parser cannot read."""
        self._refuse(refuse(HTTPStatus.BAD_REQUEST, f"Malformed HTTP request: {msg}"))

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begins a request."""
        super().on_message_begin()
        self._receiving, self._has_head = True, False
        self._head_bytes = self._body_bytes = 0
        self._wait(self._limits.client_seconds)

    def on_url(self, url: bytes) -> None:
        """Adds to the target."""
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header."""
        self._head_bytes += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuses what is too large before it is sent."""
        self._progressed = self._has_head = True
        length = next((v for name, v in self.headers if name == b"content-length"), b"0")
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_head()
        elif int(length) > self._limits.max_request_bytes:
            self._refuse(refuse_body(self._limits.max_request_bytes))
        if self._refused:
            return
        super().on_headers_complete()
        if self._stopping:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Adds to the body."""
        self._progressed = True
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.max_request_bytes:
            self._refuse(refuse_body(self._limits.max_request_bytes))
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request."""
        self._progressed, self._receiving = True, False
        if not self._refused:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begins to wait for the next request."""
        super().on_response_complete()
        if not self._receiving:
            self._wait(self._limits.client_seconds)

    def _wait(self, seconds: float) -> None:
        self._since = self.loop.time()
        self._patience = seconds

    def _refuse_head(self) -> None:
        message = f"Request line and headers are larger than {MAX_HEAD_BYTES} bytes"
        self._refuse(refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message))

    def _refuse(self, response: RestResponse) -> None:
        if self._refused:
            return
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            # To the application, this is a client that has gone.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_write_response(response))
        self._wait(min(LINGER_SECONDS, self._limits.client_seconds))
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()


def _write_response(response: RestResponse) -> bytes:
    headers = [*response.write_headers(), (b"connection", b"close")]
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + response.body


class Sweeper:
    """Looks after slow clients: one timer for all connections, so that a request costs none.

    Args:
        connections: Those that are open; uvicorn's own set.
        client_seconds: How long a client may take.
    """

    MAX_SECONDS: Final = 1.0

    def __init__(self, connections: set[Any], client_seconds: float) -> None:
        self._connections = connections
        self._seconds = min(self.MAX_SECONDS, client_seconds / 4)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._seconds)
            now = loop.time()
            for connection in list(self._connections):
                connection.close_if_late(now)

    def stop(self) -> None:
        """Ends it, and every connection that is still open."""
        self._task.cancel()
        for connection in list(self._connections):
            connection.transport.abort()
