"""The access log: one line of JSON for each request."""

import json
import sys
import time
from datetime import datetime, timezone
from typing import Any, Final, TextIO

from darkroom.serving.model_server.operations.background_writer import BackgroundWriter
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.request_record import RequestRecord

MAX_TEXT: Final = 256
"""Characters of a text that the caller chose, as a model's name."""
MAX_BYTES: Final = 16 << 20
"""Memory of the lines that wait to be written."""
_RECORD_BYTES: Final = 600


class AccessLog:
    """Writes each request as one line of JSON, in a thread of its own.

    A line says who asked what, when, and how it ended; it never has anything of what was sent to
    the model or came from it. Everything in it is escaped, so that no request can forge a line.

    Args:
        stream: Where the lines go; None writes to standard error.
    """

    def __init__(self, metrics: Metrics, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._metrics = metrics
        self._writer: BackgroundWriter[tuple[RequestRecord, float, float]] = BackgroundWriter(
            "access-log", self._write_lines, MAX_BYTES
        )

    def write(self, record: RequestRecord, seconds: float) -> None:
        """Logs a request that took so long to answer; it must not change any more."""
        size = _RECORD_BYTES + len(record.model_name) + len(record.signature_name)
        size += len(record.request_id)
        if not self._writer.offer((record, seconds, time.time()), size):
            self._metrics.observe_dropped_log("access")

    def stop(self) -> None:
        """Writes what waits, and takes no more."""
        self._writer.stop()

    def _write_lines(self, items: list[tuple[RequestRecord, float, float]]) -> None:
        stream = self._stream or sys.stderr
        lines = [json.dumps(describe(*item)) + "\n" for item in items]
        try:
            stream.write("".join(lines))
            stream.flush()
        except (OSError, ValueError):
            # Nobody reads it any more, which is no reason to stop serving.
            for _ in lines:
                self._metrics.observe_dropped_log("access")


def describe(record: RequestRecord, seconds: float, ended: float) -> dict[str, Any]:
    """Returns what the access log tells of a request.

    It took `seconds` to answer, and that ended so many seconds after 1970.
    """
    time_text = datetime.fromtimestamp(ended, timezone.utc).isoformat(timespec="milliseconds")
    fields = {
        "time": time_text.replace("+00:00", "Z"),
        "entrypoint": record.entrypoint,
        "api": record.api or None,
        "model": _shorten(record.model_name),
        "version": record.version,
        "signature": _shorten(record.signature_name),
        "code": record.code.name,
        "http_status": record.http_status,
        "ms": round(seconds * 1e3, 3),
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "peer": record.peer,
        "request_id": _shorten(record.request_id),
    }
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
