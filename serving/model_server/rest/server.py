"""The HTTP server around the REST API."""

import asyncio
import functools
import math
import socket
from typing import Any, Final, cast

import uvicorn

from serving.model_server.errors import StartError
from serving.model_server.operations.observer import Observer
from serving.model_server.rest.app import Respond, RestApp
from serving.model_server.rest.protocol import LimitedProtocol, Limits, Sweeper

_BACKLOG: Final = 2048
_FOR_EVER: Final = 10**6
_CANCEL_SECONDS: Final = 1.0


class RestServer:
    """Serves HTTP, in the event loop that calls it.

    Args:
        host: Address to bind.
        port: TCP port; 0 takes a free one.

    Attributes:
        port: The bound port.

    Raises:
        StartError: The port cannot be bound.
    """

    def __init__(self, host: str, port: int) -> None:
        self._socket = _bind(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._sweeper: Sweeper | None = None

    async def start(
        self,
        respond: Respond,
        observer: Observer,
        *,
        timeout_seconds: float | None,
        limits: Limits,
        drain_seconds: int,
    ) -> None:
        """Begins to answer requests.

        Args:
            respond: Answers the requests.
            observer: Is told of each request.
            timeout_seconds: Seconds until a request is answered 504; None waits for ever.
            limits: What clients may do.
            drain_seconds: How long a stop waits for requests begun.

        Raises:
            StartError: The HTTP server did not start.
        """
        # uvicorn closes what its client keeps and does not use; the limits do so too.
        idle_seconds = min(limits.client_seconds, _FOR_EVER)
        config = uvicorn.Config(
            cast(Any, RestApp(respond, observer, timeout_seconds)),
            http=cast(Any, functools.partial(LimitedProtocol, limits)),
            ws="none",
            lifespan="off",
            backlog=_BACKLOG,
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_keep_alive=math.ceil(idle_seconds),
            timeout_graceful_shutdown=drain_seconds,
        )
        server = self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(server.serve([self._socket]))
        while not server.started:
            if self._task.done():
                raise StartError("the REST API did not start")
            await asyncio.sleep(0.005)
        self._sweeper = Sweeper(server.server_state.connections, limits.client_seconds)

    def close(self) -> None:
        """Gives the port back."""
        self._socket.close()

    async def stop(self) -> None:
        """Takes no new connections, and waits for the requests begun."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            if cancelled := self._server.server_state.tasks:
                # Those that had no time left: they are answered, too, if only that it is over.
                await asyncio.wait(cancelled, timeout=_CANCEL_SECONDS)
        if self._sweeper is not None:
            self._sweeper.stop()
        self.close()


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
