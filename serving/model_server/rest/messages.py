"""HTTP requests and answers."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from darkroom.serving.model_server.errors import Code

_JSON: Final = "application/json"
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}

Body = bytes | bytearray


@dataclass(slots=True)
class HttpRequest:
    """One HTTP request, whole.

    Attributes:
        method: In capitals.
        target: Path and query, percent-encoded as sent.
        headers: Lower-case name to value; of a name that comes twice, the last.
        body: As sent, not yet decompressed.
        keep_alive: Whether a further request may come over the connection.
    """

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytearray
    keep_alive: bool = True


@dataclass(frozen=True, slots=True)
class RestResponse:
    """One HTTP answer.

    Attributes:
        body: JSON, unless the path is none of the API's.
        content_type: Value of that header; empty sends none.
        code: Canonical code that the status stands for.
        headers: Further names and values.
    """

    status: int
    body: bytes
    content_type: str = _JSON
    code: Code = Code.OK
    headers: tuple[tuple[str, str], ...] = ()

    def write_head(self, date: str, close: bool) -> bytes:
        """Returns what comes before the body; `close` says that the connection ends behind it."""
        phrase = _PHRASES.get(self.status, "")
        lines = [f"HTTP/1.1 {self.status} {phrase}", f"date: {date}"]
        lines.append(f"content-length: {len(self.body)}")
        if self.content_type:
            lines.append(f"content-type: {self.content_type}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if close:
            lines.append("connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def create_page(status: HTTPStatus, code: Code = Code.OK) -> RestResponse:
    """Returns the page that TensorFlow Serving's HTTP library answers with outside the API."""
    page = (
        f"<HTML><HEAD>\n<TITLE>{status.value} {status.phrase}</TITLE>\n</HEAD><BODY>\n"
        f"<H1>{status.phrase}</H1>\n</BODY></HTML>"
    )
    return RestResponse(status.value, page.encode(), "text/html", code)
