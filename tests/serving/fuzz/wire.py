"""HTTP exactly as a test wants it on the wire, and what came back."""

import http.client
import json
import socket
from dataclasses import dataclass

TIMEOUT_SECONDS = 20
"""A server that takes longer hangs."""


@dataclass(frozen=True)
class Answer:
    """What the server said; a status of None when it closed the connection without a word."""

    status: int | None
    content_type: str = ""
    body: bytes = b""

    def check(self):
        """Asserts what holds for every answer of the API, whatever was asked."""
        assert self.status != 500 and (self.status or 0) <= 504, self
        if self.content_type == "application/json" and self.status >= 400 and self.body:
            assert isinstance(json.loads(self.body)["error"], str), self


def send(port, head, body=b"", half_close=False, method="GET"):
    """Sends bytes as they are; returns the first answer.

    Args:
        port: The server's.
        head: Request line and headers, without the last empty line.
        body: Anything.
        half_close: Whether to say that nothing more will come.
        method: What the request line says: an answer to HEAD has no body.

    Raises:
        TimeoutError: The server neither answers nor closes the connection.
    """
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
        try:
            connection.sendall(head + b"\r\n\r\n" + body)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            response = http.client.HTTPResponse(connection, method=method)
            response.begin()
            content = response.read()
        except (ConnectionError, http.client.BadStatusLine, http.client.IncompleteRead):
            return Answer(None)
    return Answer(response.status, response.headers.get("content-type", ""), content)


def request(port, method, path, headers=(), body=b"", half_close=False):
    """Sends one request with a right Content-Length, unless the headers have one."""
    own = {name.lower() for name, _ in headers}
    lines = [f"{method} {path} HTTP/1.1"]
    if "host" not in own:
        lines.append(f"Host: 127.0.0.1:{port}")
    if not own & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    if "connection" not in own:
        lines.append("Connection: close")
    lines += [f"{name}: {value}" for name, value in headers]
    return send(port, "\r\n".join(lines).encode("latin-1"), body, half_close, method)
