"""The HTTP server around the REST API."""

import asyncio
import socket
from typing import Final

from darkroom.serving.model_server.errors import StartError
from darkroom.serving.model_server.operations.observer import Observer
from darkroom.serving.model_server.rest.protocol import Connection, Limits, Respond

_BACKLOG: Final = 2048
_SWEEP_SECONDS: Final = 1.0
"""How often slow clients are looked for, at least: one timer for all, none for a request."""
_CANCEL_SECONDS: Final = 1.0
"""How long requests that had no time left may take to say so."""
_LOOK_SECONDS: Final = 0.02


class RestServer:
    """Serves HTTP, in the event loop that calls it.

    Args:
        port: TCP port; 0 takes a free one.

    Attributes:
        port: The bound port.

    Raises:
        StartError: The port cannot be bound.
    """

    def __init__(self, host: str, port: int) -> None:
        self._socket = _bind(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._drain_seconds = 0.0

    async def start(
        self, respond: Respond, observer: Observer, limits: Limits, drain_seconds: float
    ) -> None:
        """Begins to answer requests; a stop waits for those begun as long as `drain_seconds`."""
        self._drain_seconds = drain_seconds
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(respond, observer, limits, self._connections),
            sock=self._socket,
            backlog=_BACKLOG,
        )
        self._sweeper = asyncio.create_task(self._sweep(limits.client_seconds))

    async def _sweep(self, client_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, client_seconds / 4))
            for connection in list(self._connections):
                connection.close_if_late(loop.time())

    def close(self) -> None:
        """Gives the port back."""
        self._socket.close()

    async def stop(self) -> None:
        """Takes no new connections, and waits for the requests begun."""
        if self._server is not None:
            self._server.close()
        self.close()
        for connection in list(self._connections):
            connection.shutdown()
        await self._wait_for_connections(self._drain_seconds)
        for connection in list(self._connections):
            connection.stop()
        await self._wait_for_connections(_CANCEL_SECONDS)
        for connection in list(self._connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _wait_for_connections(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self._connections and loop.time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is given; with it, an answer
    # in two pieces takes 40 ms longer.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise StartError(
            f"cannot bind REST port {port} of {host}: {error.strerror}; use another --rest_api_port"
        ) from None
    return sock
