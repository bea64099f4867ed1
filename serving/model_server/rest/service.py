"""What the HTTP server offers: the API, probes and metrics, each with HTTP's own conventions."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from darkroom.serving.model_server.errors import Code
from darkroom.serving.model_server.operations.metrics import CONTENT_TYPE
from darkroom.serving.model_server.operations.request_record import RequestRecord
from darkroom.serving.model_server.rest.compression import (
    MIN_BYTES,
    DecompressedTooLarge,
    accepts_gzip,
    compress,
    decompress,
)
from darkroom.serving.model_server.rest.handler import RestHandler, is_api_path
from darkroom.serving.model_server.rest.messages import Body, HttpRequest, RestResponse, create_page
from darkroom.serving.model_server.rest.refusals import refuse, refuse_body, respond_error

LIVE_PATH: Final = "/healthz"
READY_PATH: Final = "/readyz"

_METHODS: Final = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"})
"""Others are refused by TensorFlow Serving's HTTP library."""
_CORS: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, GET"),
    ("Access-Control-Allow-Headers", "Content-Type"),
)
_ORIGIN: Final = re.compile(rb"https?://")
_PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class RestService:
    """Answers every HTTP request, whatever its path.

    Args:
        is_ready: Returns whether requests should be sent here.
        max_request_bytes: Most bytes of a body, decompressed.
        enable_cors: Whether pages of other origins may ask.
        metrics_path: Path of the metrics; None shows none.
    """

    handler: RestHandler
    is_ready: Callable[[], bool]
    render_metrics: Callable[[], bytes]
    max_request_bytes: int
    enable_cors: bool = False
    metrics_path: str | None = None

    async def respond(self, request: HttpRequest, record: RequestRecord) -> RestResponse:
        """Answers a request, and tells its record what was asked for; never raises."""
        try:
            return await self._respond(request, record)
        except Exception as error:
            return respond_error(error)

    async def _respond(self, request: HttpRequest, record: RequestRecord) -> RestResponse:
        target = request.target
        path = target.partition("?")[0]
        if request.method not in _METHODS:
            return create_page(HTTPStatus.NOT_IMPLEMENTED)
        if path == self.metrics_path:
            body = await asyncio.to_thread(self.render_metrics)
            return await _compress_if_asked(request, RestResponse(200, body, CONTENT_TYPE))
        if path == LIVE_PATH:
            return RestResponse(200, b"ok\n", _PLAIN)
        if path == READY_PATH:
            return self._respond_ready()
        if is_api_path(target):
            return await self._respond_api(request, target, record)
        return create_page(HTTPStatus.NOT_FOUND, Code.NOT_FOUND)

    def _respond_ready(self) -> RestResponse:
        if self.is_ready():
            return RestResponse(200, b"ok\n", _PLAIN)
        return RestResponse(HTTPStatus.SERVICE_UNAVAILABLE.value, b"not ready\n", _PLAIN)

    async def _respond_api(
        self, request: HttpRequest, target: str, record: RequestRecord
    ) -> RestResponse:
        record.api = ""
        if request.method == "OPTIONS":
            response = _respond_preflight(request)
        else:
            response = await self._ask_handler(request, target, record)
            response = await _compress_if_asked(request, response)
        if self.enable_cors:
            response = replace(response, headers=response.headers + _CORS)
        return response

    async def _ask_handler(
        self, request: HttpRequest, target: str, record: RequestRecord
    ) -> RestResponse:
        encoding = request.headers.get(b"content-encoding", b"").lower()
        if encoding not in (b"", b"identity", b"gzip", b"x-gzip"):
            name = encoding.decode("latin-1")
            message = f"Content-Encoding {name} is not supported; use gzip, or none"
            return refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
        body: Body = request.body
        if encoding.endswith(b"gzip"):
            try:
                body = await decompress(body, self.max_request_bytes)
            except DecompressedTooLarge:
                return refuse_body(self.max_request_bytes)
        return await self.handler.handle(request.method, target, body, record)


def _respond_preflight(request: HttpRequest) -> RestResponse:
    origin = request.headers.get(b"origin", b"")
    status = HTTPStatus.OK if _ORIGIN.search(origin) else HTTPStatus.BAD_REQUEST
    return RestResponse(status.value, b"", "")


async def _compress_if_asked(request: HttpRequest, response: RestResponse) -> RestResponse:
    if len(response.body) < MIN_BYTES:
        return response
    headers = (*response.headers, ("vary", "Accept-Encoding"))
    body = response.body
    if accepts_gzip(request.headers.get(b"accept-encoding", b"")):
        body = await compress(body)
        headers = (*headers, ("content-encoding", "gzip"))
    return replace(response, body=body, headers=headers)
