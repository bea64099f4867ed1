"""The pages about a run that has ended, and the end of the log for them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from darkroom.records.run import EndedRun

LOG_LINES = 60
_LOG_BYTES = 64 * 1024


MakePages = Callable[[EndedRun], Mapping[str, str]]
"""Makes the files about such a run: name in its folder to text."""


def read_tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log; none where there is no log."""
    try:
        with log.open("rb") as opened:
            opened.seek(max(0, log.stat().st_size - _LOG_BYTES))
            text = opened.read().decode("utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(text.splitlines()[-LOG_LINES:])
