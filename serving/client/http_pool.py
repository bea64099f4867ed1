"""Connections to one REST server, kept for the next request."""

import socket
import ssl
import threading

from darkroom.serving.client.addresses import RestAddress
from darkroom.serving.client.errors import ClosedError
from darkroom.serving.client.http_connection import (
    Deadline,
    HttpConnection,
    HttpRequest,
    HttpResponse,
)


class ConnectionPool:
    """As many connections as there have been requests at one time; safe to use from many threads.

    Args:
        context: How to secure the connections; None for plain HTTP.
        server_name: Name in the server's certificate, if not the host.
    """

    def __init__(
        self,
        address: RestAddress,
        context: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> None:
        self._address = address
        self._context = context
        self._server_name = server_name or address.host
        self._lock = threading.Lock()
        self._idle: list[HttpConnection] = []
        self._busy: set[HttpConnection] = set()
        self._is_closed = False

    def exchange(self, request: HttpRequest, seconds: float) -> HttpResponse:
        """Sends a request and returns its answer.

        Args:
            seconds: How long all of it may take.

        Raises:
            ClosedError: The pool was closed, before or meanwhile.
            TimeoutError: The time is over.
            ssl.SSLError: The connection cannot be secured.
            OSError: No connection, or it breaks.
            NotHttpError: Something else speaks there.
        """
        deadline = Deadline(seconds)
        connection = self._take_idle()
        if connection is not None:
            try:
                return self._exchange(connection, request, deadline)
            except ConnectionError:
                # The server may have ended it in the moment in which it was taken up again.
                if connection.has_received:
                    raise
        return self._exchange(self._connect(deadline), request, deadline)

    def close(self) -> None:
        """Closes all connections; requests under way end with ClosedError."""
        with self._lock:
            self._is_closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            # Each is closed by the thread that uses it.
            for connection in self._busy:
                connection.interrupt()

    def _exchange(
        self, connection: HttpConnection, request: HttpRequest, deadline: Deadline
    ) -> HttpResponse:
        try:
            return connection.exchange(request, deadline)
        except OSError:
            self._check_open()
            raise
        finally:
            self._give_back(connection)

    def _take_idle(self) -> HttpConnection | None:
        while True:
            self._check_open()
            with self._lock:
                # The last used first, so that the others can grow old and are found stale.
                connection = self._idle.pop() if self._idle else None
                if connection is not None:
                    self._busy.add(connection)
            if connection is None or not connection.is_stale():
                return connection
            connection.is_reusable = False
            self._give_back(connection)

    def _give_back(self, connection: HttpConnection) -> None:
        with self._lock:
            self._busy.discard(connection)
            is_kept = connection.is_reusable and not self._is_closed
            if is_kept:
                self._idle.append(connection)
        if not is_kept:
            connection.close()

    def _connect(self, deadline: Deadline) -> HttpConnection:
        sock = _open_socket(self._address, deadline)
        try:
            if self._context is not None:
                sock.settimeout(deadline.remaining())
                sock = self._context.wrap_socket(sock, server_hostname=self._server_name)
        except BaseException:
            sock.close()
            raise
        connection = HttpConnection(sock, self._address.host)
        with self._lock:
            self._busy.add(connection)
            if self._is_closed:
                connection.interrupt()
        return connection

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClosedError(f"{self._address.url}: the client is closed")


def _open_socket(address: RestAddress, deadline: Deadline) -> socket.socket:
    """Tries the host's addresses in turn; `socket.create_connection` would give each all time."""
    reason: OSError = OSError(f"no address for {address.host}")
    for family, kind, protocol, _, location in socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM
    ):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(deadline.remaining())
            sock.connect(location)
            return sock
        except OSError as error:
            sock.close()
            reason = error
    raise reason
