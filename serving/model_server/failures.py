"""The log of failures that nobody foresaw: each cause with its trace, once a minute at most."""

import logging
import re
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

QUIET_SECONDS: Final = 60.0
MAX_CAUSES: Final = 100
"""Causes that are remembered; the one first seen gives way to a new one."""
_DIGITS: Final = re.compile(r"\d+")


class FailureLog:
    """Logs exceptions as errors, and those of one cause once in `QUIET_SECONDS`.

    Safe to use from any thread. The clock returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._causes: dict[object, tuple[float, int]] = {}

    def report(self, what: str, error: BaseException) -> None:
        """Logs what failed with its trace, unless one of the same cause was logged just now."""
        left_out = self._take_turn(_find_cause(what, error))
        if left_out is not None:
            more = f" ({left_out} more of this cause were left out)" if left_out else ""
            logger.error("%s%s", what, more, exc_info=error)

    def _take_turn(self, cause: object) -> int | None:
        """Returns how many were left out since the last turn; None where it is not yet time."""
        now = self._clock()
        with self._lock:
            last, left_out = self._causes.pop(cause, (-QUIET_SECONDS, 0))
            if now - last < QUIET_SECONDS:
                self._causes[cause] = last, left_out + 1
                return None
            if len(self._causes) >= MAX_CAUSES:
                del self._causes[next(iter(self._causes))]
            self._causes[cause] = now, 0
            return left_out


def _find_cause(what: str, error: BaseException) -> object:
    frames = traceback.extract_tb(error.__traceback__)
    where = (frames[-1].filename, frames[-1].lineno) if frames else None
    # Models' errors all come from one line; what tells them apart are the ops that they name.
    text = _DIGITS.sub("", getattr(error, "message", ""))
    return what, type(error), where, text


report_failure: Final = FailureLog().report
"""That of this process."""
