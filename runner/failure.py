"""What is known of a run that ended early, for the page about it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from darkroom.runner.nodes import NodeResult

LOG_LINES = 60
_LOG_BYTES = 64 * 1024


@dataclass(frozen=True)
class FailedRun:
    """A run that failed or was interrupted.

    Attributes:
        run_id: Name of the run's folder.
        error: What stopped it, in one line.
        results: The nodes that ran, in order.
        expected: Ids of all nodes of the DAG; empty where it was not built.
        trace: Where the error came from; may be empty.
        log: The log's last lines.
    """

    run_id: str
    error: str
    results: tuple[NodeResult, ...]
    expected: tuple[str, ...]
    trace: str
    log: tuple[str, ...]


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
