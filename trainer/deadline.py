"""An end to a call that may never return and that lets no thread of Python's run meanwhile."""

import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SPEAKER = """
import select, sys
if not select.select([sys.stdin], [], [], float(sys.argv[1]))[0]:
    print(sys.argv[2], file=sys.stderr, flush=True)
"""
_SECONDS_TO_SPEAK = 2.0


@contextmanager
def ending_after(seconds: float, message: str) -> Iterator[None]:
    """Ends the process with exit status 1 if the block takes longer, whatever it is doing.

    The block may hold Python's lock all the time, as TensorFlow does while it waits for other
    workers. So a process of its own says the message, and then faulthandler's thread, which is
    written in C, ends this one; unlike a signal it can also end the first process of a container.

    Args:
        seconds: Longest time for the block.
        message: One line for standard error.
    """
    with (
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SPEAKER, str(seconds), message],
            stdin=subprocess.PIPE,
        ) as speaker,
        Path(os.devnull).open("w") as nowhere,
    ):
        assert speaker.stdin is not None
        faulthandler.dump_traceback_later(seconds + _SECONDS_TO_SPEAK, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            speaker.stdin.close()
