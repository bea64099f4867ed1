"""Patience with a server that is starting, whose port nobody listens to yet."""

import threading
import time
from collections.abc import Callable
from typing import Final

from darkroom.serving.client.errors import UnavailableError

PAUSE_SECONDS: Final = 0.5


class Startup:
    """Says whether to wait for a server, and once for which; safe to use from many threads.

    Args:
        seconds: How long to wait in all, from now on.
        report: Takes the line that says so.
    """

    def __init__(self, seconds: float, report: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._report = report
        self._deadline = time.monotonic() + seconds
        self._is_told = threading.Lock()

    def allows_wait(self, error: UnavailableError) -> bool:
        """Returns whether there is time for another pause of `PAUSE_SECONDS`."""
        if time.monotonic() + PAUSE_SECONDS >= self._deadline:
            return False
        if self._is_told.acquire(blocking=False):
            self._report(f"{error}; waiting up to {self._seconds:g} s for the server to start")
        return True
