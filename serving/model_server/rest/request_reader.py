"""The bytes of one connection to its requests."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import httptools

from darkroom.serving.model_server.rest.messages import HttpRequest, RestResponse, create_page
from darkroom.serving.model_server.rest.refusals import refuse, refuse_body

MAX_HEAD_BYTES: Final = 64 * 1024
"""Most bytes of a request's first line and headers, and of what else is no body."""


class Refusal(Exception):
    """What came is no request to answer, nor is anything that follows it.

    Attributes:
        response: The answer that says why.
    """

    def __init__(self, response: RestResponse) -> None:
        super().__init__(response)
        self.response = response


class RequestReader:
    """Reads requests, one after the other.

    Args:
        max_request_bytes: Most bytes of a body.
        on_head: Called once all but the body of a request is there.
        on_request: Called with each request once it is whole.

    Attributes:
        receiving: Whether a request has begun to come, and is not yet whole.
    """

    def __init__(
        self,
        max_request_bytes: int,
        on_head: Callable[[], None],
        on_request: Callable[[HttpRequest], None],
    ) -> None:
        self.receiving = False
        self._max_request_bytes = max_request_bytes
        self._on_head = on_head
        self._on_request = on_request
        self._parser = httptools.HttpRequestParser(self)
        self._request: HttpRequest | None = None
        # Bytes in a row that were neither the end of a head nor a body: the parser keeps half a
        # header, however long, without a word.
        self._unread_bytes = 0

    def waits_for_leave(self) -> bool:
        """Returns whether the client sends the body only once it is told to go on."""
        request = self._request
        if request is None or request.body or self._parser.get_http_version() == "1.0":
            return False
        return request.headers.get(b"expect", b"").lower() == b"100-continue"

    def feed(self, data: bytes) -> None:
        """Reads on.

        Raises:
            Refusal: No HTTP, or more than may be sent; nothing more can be read then.
        """
        self._unread_bytes += len(data)
        rest: memoryview | None = memoryview(data)
        try:
            while rest is not None:
                rest = self._parse(rest)
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            raise _refuse_malformed(error) from None
        if self._unread_bytes > MAX_HEAD_BYTES:
            raise _refuse_head()

    def _parse(self, data: memoryview) -> memoryview | None:
        """Returns what the parser has left over."""
        try:
            self._parser.feed_data(data)
            return None
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        # The parser leaves the connection to another protocol, body and all. There is none here,
        # so the header is ignored: the request is read again, as if it had none.
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(self._write_head_without_upgrade())
        return rest

    def _write_head_without_upgrade(self) -> bytes:
        lines = [self._start]
        lines += [name + b": " + value for name, value in self._headers if name != b"upgrade"]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begins a request."""
        self.receiving, self._request = True, None
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Adds to the target."""
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header; those that follow a body change nothing."""
        self._head_bytes += len(name) + len(value)
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Refuses what is too large before it is sent."""
        self._unread_bytes = 0
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _refuse_head()
        method, version = self._parser.get_method(), self._parser.get_http_version()
        if self._parser.should_upgrade():
            if method == b"CONNECT":
                raise Refusal(create_page(HTTPStatus.NOT_IMPLEMENTED))
            self._start = b"%b %b HTTP/%b" % (method, self._url, version.encode())
            return
        headers = dict(self._headers)
        if int(headers.get(b"content-length", b"0")) > self._max_request_bytes:
            raise Refusal(refuse_body(self._max_request_bytes))
        keep_alive = version != "1.0" and self._parser.should_keep_alive()
        target = _read_target(self._url)
        self._request = HttpRequest(method.decode(), target, headers, bytearray(), keep_alive)
        self._on_head()

    def on_body(self, piece: bytes) -> None:
        """Adds to the body."""
        self._unread_bytes = 0
        body = self._require_request().body
        if len(body) + len(piece) > self._max_request_bytes:
            raise Refusal(refuse_body(self._max_request_bytes))
        body += piece

    def on_message_complete(self) -> None:
        """Ends a request."""
        self._unread_bytes = 0
        if not self._parser.should_upgrade():
            request, self._request = self._require_request(), None
            self.receiving = False
            self._on_request(request)

    def _require_request(self) -> HttpRequest:
        assert self._request is not None  # The parser calls in this order.
        return self._request


def _read_target(url: bytes) -> str:
    try:
        parts = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError as error:
        raise _refuse_malformed(error) from None
    target: bytes = parts.path or b"/"
    if parts.query:
        target += b"?" + parts.query
    return target.decode("ascii")


def _refuse_malformed(error: Any) -> Refusal:
    return Refusal(refuse(HTTPStatus.BAD_REQUEST, f"Malformed HTTP request: {error}"))


def _refuse_head() -> Refusal:
    message = f"Request line and headers are larger than {MAX_HEAD_BYTES} bytes"
    return Refusal(refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message))
