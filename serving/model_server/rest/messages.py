"""HTTP requests and answers."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from serving.model_server.errors import Code

_JSON: Final = "application/json"


@dataclass(slots=True)
class HttpRequest:
    """One HTTP request, whole.

    Attributes:
        method: In capitals.
        target: Path and query, percent-encoded as sent.
        headers: Lower-case name to value; of a name that comes twice, the last.
        body: As sent, not yet decompressed.
    """

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes


@dataclass(frozen=True, slots=True)
class RestResponse:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
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

    def write_headers(self) -> list[tuple[bytes, bytes]]:
        """Returns all headers that the answer needs, as ASGI has them."""
        headers = [(b"content-length", str(len(self.body)).encode())]
        if self.content_type:
            headers.append((b"content-type", self.content_type.encode()))
        headers += [(name.encode(), value.encode()) for name, value in self.headers]
        return headers


def write_page(status: HTTPStatus) -> bytes:
    """Returns the page that TensorFlow Serving's HTTP library answers with outside the API."""
    return (
        f"<HTML><HEAD>\n<TITLE>{status.value} {status.phrase}</TITLE>\n</HEAD><BODY>\n"
        f"<H1>{status.phrase}</H1>\n</BODY></HTML>"
    ).encode()
