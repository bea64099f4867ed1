"""What Python itself does at the beginning and at the end of a process that imports TensorFlow."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def importing() -> Iterator[None]:
    """A block of imports, in which no garbage is looked for, nor later in what they made."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def leave(code: int) -> NoReturn:
    """Ends the process; Python's last look for garbage takes 1.5 s with TensorFlow, for nothing."""
    gc.freeze()
    sys.exit(code)
