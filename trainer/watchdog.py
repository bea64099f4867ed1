"""An end to a training that makes no progress."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PROGRESS = logging.getLogger("darkroom.progress")
_EXIT_STALLED = 1


class Watchdog:
    """Ends a process that makes no progress: a lost worker can block TensorFlow for ever.

    Args:
        seconds: Longest time between two signs of life.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._alive = threading.Event()
        self._ended = False

    def progressed(self) -> None:
        """Says that something was done."""
        self._alive.set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watches while the block runs."""
        thread = threading.Thread(target=self._watch, name="training-watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended = True
            self._alive.set()
            thread.join()

    def _watch(self) -> None:
        while self._alive.wait(self._seconds):
            if self._ended:
                return
            self._alive.clear()
        PROGRESS.error(
            "error: no training step ended within %g s; another worker hangs or died: see the logs "
            "of the other workers",
            self._seconds,
        )
        logging.shutdown()
        # The main thread is inside TensorFlow and cannot be interrupted.
        os._exit(_EXIT_STALLED)
