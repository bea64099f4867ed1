"""Being told to stop: SIGTERM is Ctrl-C by another name."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
AGAIN_SECONDS: Final = 10.0
"""What comes this soon after is the same wish: `timeout` and terminals tell a process twice, and
cleaning up must not be cut short. Later it is another wish, of somebody whom nothing obeyed."""

_told = threading.Event()


def is_interrupted() -> bool:
    """Whether the process was told to stop, even if a library took the interrupt for an error."""
    return _told.is_set()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raises KeyboardInterrupt where the process is told to stop; for the main thread.

    A signal that is ignored already, as a shell has it for what runs in the background, stays so.
    """
    last = -AGAIN_SECONDS

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        _told.set()
        if last - before >= AGAIN_SECONDS:
            raise KeyboardInterrupt

    try:
        with _handled(interrupt):
            yield
    finally:
        _told.clear()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Takes no signals, for something short at the end of a run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handled(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handled(handler: "signal._HANDLER") -> Iterator[None]:
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
