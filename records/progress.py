"""How far a node has got with its work: counted where that is done, looked at by whoever shows it.

One count a process, of what is being done now. What Beam gives to processes of their own is not in
it.
"""

import threading
import time
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Progress:
    """A count.

    Attributes:
        unit: What is counted, such as `images`.
        done: How many are done.
        total: How many there are; 0 where that is not known.
        part: What they are done for, such as `epoch 2/8`; may be empty.
        began: When, by `time.monotonic`.
    """

    unit: str
    done: int = 0
    total: int = 0
    part: str = ""
    began: float = 0.0


_lock = threading.Lock()
_now: Progress | None = None


def begin(unit: str) -> None:
    """Starts to count."""
    _set(Progress(unit, began=time.monotonic()))


def expect(number: int) -> None:
    """Says that there are so many more."""
    with _lock:
        if _now:
            _set(replace(_now, total=_now.total + number))


def advance(number: int = 1) -> None:
    """Says that so many more are done."""
    with _lock:
        if _now:
            _set(replace(_now, done=_now.done + number))


def enter(part: str) -> None:
    """Says what the next ones are done for."""
    with _lock:
        if _now:
            _set(replace(_now, part=part))


def end() -> None:
    """Nothing is counted any more."""
    _set(None)


def look() -> Progress | None:
    """How far it is; None where nothing is counted."""
    return _now


def _set(progress: Progress | None) -> None:
    global _now
    _now = progress
