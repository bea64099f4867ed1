"""What may be answered when: the one who changes the server's models writes it down."""

import threading
import time

ABSENT = 0
"""Stands for the refusal that a model is not served."""


class Ledger:
    """For each target the versions that may answer, over time; safe to use from any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self._history = {}

    def allow(self, target, *versions):
        """From now on, these versions may answer and no others.

        Call it with the old and the new version before a change, and with the new one once the
        server has been seen to have followed.
        """
        with self._lock:
            self._history.setdefault(target, []).append((time.monotonic(), frozenset(versions)))

    def find_allowed(self, target, began, ended):
        """Returns all versions that might have answered a request in that time."""
        allowed = set()
        with self._lock:
            entries = list(self._history[target])
        for index, (since, versions) in enumerate(entries):
            until = entries[index + 1][0] if index + 1 < len(entries) else ended
            if since <= ended and until >= began:
                allowed |= versions
        return allowed
