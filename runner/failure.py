"""The page about a run that ended early, and the end of the log for it."""

from collections.abc import Callable
from pathlib import Path

from darkroom.records.run import FailedRun

LOG_LINES = 60
_LOG_BYTES = 64 * 1024


FailurePage = Callable[[FailedRun], str]
"""Makes an HTML page about such a run."""


def read_tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log; none where there is no log."""
    try:
        with log.open("rb") as opened:
            opened.seek(max(0, log.stat().st_size - _LOG_BYTES))
            text = opened.read().decode("utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(text.splitlines()[-LOG_LINES:])
