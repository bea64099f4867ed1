"""How far a node is, in words: on a terminal again and again, elsewhere a line now and then."""

import contextlib
import datetime
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from rich.progress import ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from darkroom.records.progress import Progress, look

LINE_SECONDS: Final = 60.0
"""Between two lines where there is no terminal; what is done sooner needs none."""


class CountColumn(ProgressColumn):
    """What is counted now."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """The words of the moment."""
        return Text(describe(look()), overflow="ellipsis")


def describe(progress: Progress | None) -> str:
    """Such as `epoch 2/8  140/776 steps  7.1/s  0:01:30 left`; empty where nothing is counted."""
    if progress is None:
        return ""
    known = progress.total >= progress.done > 0
    done = f"{progress.done}/{progress.total}" if known else f"{progress.done}"
    words = [progress.part, f"{done} {progress.unit}"]
    seconds = time.monotonic() - progress.began
    if progress.done and seconds > 0:
        rate = progress.done / seconds
        words.append(f"{rate:.1f}/s" if rate < 10 else f"{rate:.0f}/s")
        if known:
            left = round((progress.total - progress.done) / rate)
            words.append(f"{datetime.timedelta(seconds=left)} left")
    return "  ".join(filter(None, words))


@contextlib.contextmanager
def repeated(say: Callable[[str], None]) -> Iterator[None]:
    """Says how far it is every `LINE_SECONDS`, unless nothing is counted or nothing was done."""
    ended = threading.Event()

    def repeat() -> None:
        before = None
        while not ended.wait(LINE_SECONDS):
            now = look()
            if now and now != before:
                say(describe(now))
            before = now

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
