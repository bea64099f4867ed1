"""Writing beside the requests: what is written waits in a bounded queue for one thread."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from darkroom.serving.model_server.failures import report_failure

Item = TypeVar("Item")

GATHER_SECONDS: Final = 0.2
"""How long the thread gathers items before it writes them, so that it seldom wakes."""
IDLE_SECONDS: Final = 60.0
"""How often nothing is written where nothing comes, for what the writer has to do besides."""
STOP_SECONDS: Final = 10.0


class BackgroundWriter(Generic[Item]):
    """Writes items in a thread of its own, in the order in which they were offered.

    The thread starts with the first item. Offering never waits: where the disk is slower than the
    requests, items are refused and memory stays bounded.

    Args:
        write: Writes some items and flushes them; called in the thread only.
        max_bytes: Size of all items that may wait.
    """

    def __init__(self, name: str, write: Callable[[list[Item]], None], max_bytes: int) -> None:
        self._name = name
        self._write = write
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._waiting = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def offer(self, item: Item, size: int) -> bool:
        """Takes an item of `size` bytes to write, which must not change any more.

        Safe to use from any thread. Returns False if there is no room for it, or the writer is
        stopped.
        """
        with self._lock:
            if self._bytes + size > self._max_bytes or self._stopping.is_set():
                return False
            self._items.append((item, size))
            self._bytes += size
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        if not self._waiting.is_set():
            self._waiting.set()
        return True

    def stop(self) -> None:
        """Takes no more items, and waits until those taken are written, but not for ever."""
        with self._lock:
            self._stopping.set()
        self._waiting.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._waiting.wait(IDLE_SECONDS)
            self._stopping.wait(GATHER_SECONDS)
            # Cleared before reading: an item that comes after is then seen in the next round.
            self._waiting.clear()
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        with self._lock:
            waiting, self._items = self._items, deque()
        try:
            self._write([item for item, _ in waiting])
        except Exception as error:
            report_failure(f"{self._name}: cannot write", error)
        finally:
            with self._lock:
                self._bytes -= sum(size for _, size in waiting)
