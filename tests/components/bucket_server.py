"""An S3 server for tests: moto's, on loopback, whose answers can be disturbed."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

Answer = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes] | None]

KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """Says nothing."""


class BucketServer:
    """Moto behind a door that lets one request in at a time.

    Attributes:
        url: The endpoint.
        requests: Method, path with query, and range of each request, in order.
        disturb: Asked first; answers itself, or returns None for moto to answer.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.disturb: Answer | None = None
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._door = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._answer, True, request_handler=_Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach this server."""
        return {
            **KEYS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_MAX_ATTEMPTS": "3",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def create_bucket(self, name: str) -> None:
        """Makes an empty bucket."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        if name in backend.buckets:
            backend.buckets[name].keys.clear()
        else:
            backend.create_bucket(name, "us-east-1")

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Content of all objects of a bucket, without asking over the network."""
        keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys
        return {name: key.value for name, key in list(keys.items())}

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """Stores an object under any name, without asking over the network."""
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, name, content)

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
        if answer is not None:
            return answer
        with self._door:
            return list(self._moto(request, start))


def refuse(status: str, code: str, times: int = 10**9, method: str = "GET") -> Answer:
    """Answers the first requests of a method with an error of S3's."""
    left = [times]

    def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes] | None:
        if request["REQUEST_METHOD"] != method or left[0] <= 0:
            return None
        left[0] -= 1
        body = f"<Error><Code>{code}</Code><Message>told to</Message></Error>".encode()
        start(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
        return [body]

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
