"""An HTTP server for tests, on loopback, whose answers can be disturbed."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Answer = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes] | None]


class QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """Says nothing."""


class DisturbedServer:
    """An application behind a door that lets one request in at a time.

    Attributes:
        url: The endpoint.
        requests: Method, path with query, and range of each request, in order.
        disturb: Asked first; answers itself, or returns None for the application to answer.
    """

    def __init__(
        self, application: Application, handler: type[WSGIRequestHandler] = QuietHandler
    ) -> None:
        self.requests: list[str] = []
        self.disturb: Answer | None = None
        self._application = application
        self._door = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._answer, True, request_handler=handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def serve(self, request: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        """What the application answers, undisturbed."""
        with self._door:
            return list(self._application(request, start))

    def count(self, method: str) -> int:
        """Requests by this method so far."""
        return sum(request.startswith(method + " ") for request in self.requests)

    def stop(self) -> None:
        """Ends the server; the port is closed afterwards."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        place = f"{request['PATH_INFO']}?{request['QUERY_STRING']}"
        span = request.get("HTTP_RANGE", "")
        self.requests.append(f"{request['REQUEST_METHOD']} {place} {span}")
        answer = self.disturb(request, start) if self.disturb else None
        return self.serve(request, start) if answer is None else answer


def answer_first(times: int, method: str, response: Response) -> Answer:
    """Answers the first requests of a method with this."""
    left = [times]

    def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes] | None:
        if request["REQUEST_METHOD"] != method or left[0] <= 0:
            return None
        left[0] -= 1
        return response(request, start)

    return answer


def lose_answer(server: DisturbedServer, method: str) -> Answer:
    """Does what the first request of a method asks, and says that it could not."""
    busy = answer_first(1, method, Response("", 503))

    def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes] | None:
        said = busy(request, start)
        if said is not None:
            server.serve(request, lambda *_: None)
        return said

    return answer


def break_off(times: int) -> Answer:
    """Answers the first downloads with fewer bytes than announced, then closes the connection."""
    left = [times]

    def body() -> Iterator[bytes]:
        yield b"x" * 100
        raise ConnectionAbortedError

    def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes] | None:
        if "HTTP_RANGE" not in request or left[0] <= 0:
            return None
        left[0] -= 1
        start("206 Partial Content", [("Content-Length", "4000000")])
        return body()

    return answer


def hang_up(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Closes the connection instead of an answer."""
    request["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def kill_at(number: int, process: Callable[[], int], method: str = "GET") -> Answer:
    """Kills a process when it asks for the n-th time by this method."""
    left = [number]

    def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes] | None:
        if request["REQUEST_METHOD"] == method:
            left[0] -= 1
            if left[0] == 0:
                os.kill(process(), signal.SIGKILL)
        return None

    return answer
