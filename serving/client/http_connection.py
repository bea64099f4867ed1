"""One HTTP connection, on the standard library's `http.client`, with one deadline a request.

HTTP libraries, urllib3 too, limit each wait by itself, so that a server that answers in drips holds
a caller for as long as it likes; and closing their pools ends no request under way.
"""

import contextlib
import http.client
import io
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_BUFFER_BYTES: Final = 1 << 16
_START: Final = b"HTTP/"


class NotHttpError(Exception):
    """What came is not the answer of an HTTP server."""


@dataclass(frozen=True)
class HttpRequest:
    """A request.

    Attributes:
        path: Path, percent-encoded.
        headers: Headers by name, without those for the body's length.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True)
class HttpResponse:
    """An answer.

    Attributes:
        headers: Headers by lower-case name.
        body: The body, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Deadline:
    """A moment until which something has to be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Returns the seconds left; TimeoutError where there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


class _DeadlineSocket(io.RawIOBase):
    """What `http.client` needs of a socket, each wait within the present deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.deadline = Deadline(0)
        self.has_received = False

    def sendall(self, content: bytes) -> None:
        self._socket.settimeout(self.deadline.remaining())
        self._socket.sendall(content)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(self, _BUFFER_BYTES)

    def close(self) -> None:
        """Does nothing: an answer's end closes the reader around this, and not the connection."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self.deadline.remaining())
        count = self._socket.recv_into(buffer)
        if count and not self.has_received:
            self.has_received = True
            # http.client would wait for the end of a line that may never come.
            if not bytes(buffer[:count]).startswith(_START[:count]):
                raise NotHttpError("the answer is not HTTP")
        return count


class HttpConnection:
    """One connection, which carries one request at a time.

    Args:
        sock: A connected socket, TLS or not.
        host: The server's name, for the `Host` header if a request has none.
    """

    def __init__(self, sock: socket.socket, host: str) -> None:
        self._socket = sock
        self._http = http.client.HTTPConnection(host)
        self._timed = _DeadlineSocket(sock)
        self._http.sock = self._timed
        self.is_reusable = True
        """Whether another request may follow."""

    @property
    def has_received(self) -> bool:
        """Whether a byte of the present answer has come."""
        return self._timed.has_received

    def exchange(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        """Sends a request and returns its answer.

        Raises:
            TimeoutError: The deadline is over.
            OSError: The connection breaks.
            NotHttpError: Something else speaks there.
        """
        self.is_reusable = False
        self._timed.has_received, self._timed.deadline = False, deadline
        # A server that refuses a large body answers before it has read all, and hangs up.
        with contextlib.suppress(ConnectionError):
            headers = dict(request.headers)
            self._http.request(request.method, request.path, request.body, headers)
        try:
            return self._receive()
        except http.client.IncompleteRead:
            raise ConnectionResetError("the server hung up before the end of its answer") from None
        except (http.client.HTTPException, ValueError) as error:
            if isinstance(error, OSError):
                raise
            raise NotHttpError(f"the answer is not HTTP: {error!r}") from None

    def is_stale(self) -> bool:
        """Says whether the server has closed the connection since the last answer."""
        self._socket.settimeout(0)
        try:
            # Nothing was asked, so that all that can come is the end. Over TLS this also takes in
            # what the server sends for itself.
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def interrupt(self) -> None:
        """Ends an exchange that another thread is in, with an OSError there."""
        with contextlib.suppress(OSError):
            # Not the socket's own method: over TLS, that pulls the rug from under the other thread.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection, which no thread is using."""
        self._http.close()
        self._socket.close()

    def _receive(self) -> HttpResponse:
        response = self._http.getresponse()
        body = response.read()
        self.is_reusable = not response.will_close
        headers = {name.lower(): value for name, value in response.getheaders()}
        return HttpResponse(response.status, headers, _decompress(headers, body))


def _decompress(headers: Mapping[str, str], body: bytes) -> bytes:
    if headers.get("content-encoding") != "gzip":
        return body
    try:
        return zlib.decompress(body, wbits=zlib.MAX_WBITS | 16)
    except zlib.error as error:
        raise NotHttpError(f"the answer is not gzip: {error}") from None
