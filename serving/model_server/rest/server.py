"""The HTTP server around the REST API."""

import asyncio
import socket
from typing import Final

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.model_server.errors import Code, StartError, StatusError
from serving.model_server.rest.handler import TIMED_OUT, RestHandler, respond_error

_BACKLOG: Final = 2048


class RestServer:
    """Serves the REST API, in the event loop that calls it.

    Args:
        host: Address to bind.
        port: TCP port; 0 takes a free one.
        timeout_seconds: Seconds until a request is answered 504; None waits for ever.

    Attributes:
        port: The bound port.

    Raises:
        StartError: The port cannot be bound.
    """

    def __init__(self, host: str, port: int, timeout_seconds: float | None) -> None:
        self._socket = _bind(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._timeout_seconds = timeout_seconds
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, handler: RestHandler, drain_seconds: int) -> None:
        """Begins to answer requests.

        Raises:
            StartError: The HTTP server did not start.
        """
        config = uvicorn.Config(
            create_app(handler, self._timeout_seconds),
            http="httptools",
            backlog=_BACKLOG,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=drain_seconds,
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        while not self._server.started:
            if self._task.done():
                raise StartError("the REST API did not start")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Takes no new requests, and waits for those begun."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        self._socket.close()


def create_app(handler: RestHandler, timeout_seconds: float | None) -> ASGIApp:
    """Returns the ASGI application.

    Args:
        handler: Answers the requests.
        timeout_seconds: Seconds until a request is answered 504; None waits for ever.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        path = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
        try:
            work = handler.handle(request.method, path, body)
            answer = await asyncio.wait_for(work, timeout_seconds)
        except asyncio.TimeoutError:
            answer = respond_error(StatusError(Code.DEADLINE_EXCEEDED, TIMED_OUT))
        headers = {"content-type": answer.content_type}
        await Response(answer.body, answer.status, headers)(scope, receive, send)

    return app


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
