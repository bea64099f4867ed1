"""Watching a run on Kubeflow Pipelines: a line where a step starts or ends."""

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final, NamedTuple

from darkroom.kubeflow.server.access import UnavailableError
from darkroom.kubeflow.server.api import Api

_ENDED: Final = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}
_WORDS: Final = {
    "PENDING": "waits",
    "RUNNING": "runs",
    "SUCCEEDED": "done",
    "SKIPPED": "skipped",
    "FAILED": "failed",
    "CANCELING": "is being cancelled",
    "CANCELED": "cancelled",
    "PAUSED": "paused",
}


_DRIVER: Final = "-driver"
LONGEST_SILENCE: Final = 600.0
"""Seconds since the last answer after which the server counts as gone."""


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        state: SUCCEEDED, FAILED, CANCELED or SKIPPED.
        reason: What the server says about a failure, in one line; may be empty.
        failed: Names of the steps that failed.
    """

    state: str
    reason: str
    failed: tuple[str, ...]


def watch_run(
    api: Api,
    run_id: str,
    steps: Collection[str],
    say: Callable[[str], None],
    interval: float,
    deadline: float = float("inf"),
) -> Outcome:
    """Waits until a run has ended, and says what its steps do meanwhile.

    Args:
        steps: Names of the pipeline's tasks. The server lists pods as well, which are passed over,
            and drivers, which prepare steps: of them, those that failed are told.
        interval: Seconds from one look to the next.
        deadline: Time of `time.monotonic` at which to stop.

    Raises:
        UnavailableError: The deadline is over, or the server is gone.
        ApiError: The server refuses.
    """
    shown: dict[str, str] = {}
    answered = time.monotonic()
    while True:
        try:
            run = api.get_run(run_id)
        except UnavailableError as error:
            now = time.monotonic()
            if now - answered >= LONGEST_SILENCE or now + interval >= deadline:
                raise
            say(f"{error}; still waiting")
            time.sleep(interval)
            continue
        answered = time.monotonic()
        tasks = (run.run_details and run.run_details.task_details) or []
        mine = [
            task
            for task in filter(None, tasks)
            if task.display_name in steps or _failed_to_prepare(task)
        ]
        for task in sorted(mine, key=lambda task: str(task.start_time or task.create_time)):
            state = str(task.state or "PENDING")
            if state in _WORDS and shown.get(task.display_name) != state:
                shown[task.display_name] = state
                say(_describe_step(task, state))
        if run.state in _ENDED:
            failed = sorted(name for name, state in shown.items() if state == "FAILED")
            return Outcome(run.state, _read_error(run), tuple(failed))
        if time.monotonic() + interval >= deadline:
            raise UnavailableError("--timeout is over, and the run has not ended; it goes on")
        time.sleep(interval)


def _failed_to_prepare(task: Any) -> bool:
    """Whether Kubeflow itself failed, at what comes before a step; no step then says a word."""
    return str(task.display_name).endswith(_DRIVER) and task.state == "FAILED"


def _describe_step(task: Any, state: str) -> str:
    seconds = ""
    if state in _ENDED and _is_time(task.start_time) and _is_time(task.end_time):
        seconds = f"  {(task.end_time - task.start_time).total_seconds():.0f} s"
    error = _read_error(task)
    if not error and _failed_to_prepare(task):
        error = "Kubeflow could not prepare the step; the log of this pod says why"
    return f"{task.display_name:<20} {_WORDS[state]}{seconds}" + (f"  {error}" if error else "")


def _is_time(value: Any) -> bool:
    """Whether a time is known; what has not happened yet is given as the year 1 or 1970."""
    return isinstance(value, datetime) and value.year > 1970


def _read_error(item: Any) -> str:
    message = getattr(item.error, "message", None) or ""
    return " ".join(message.split())[:300]
