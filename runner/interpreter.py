"""What Python itself does at the beginning and at the end of a process that imports TensorFlow."""

import gc
import os
import sys
import warnings
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


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps off the terminal what TensorFlow and TFX say while they are imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def leave(code: int) -> NoReturn:
    """Ends the process; Python's last look for garbage takes 1.5 s with TensorFlow, for nothing."""
    gc.freeze()
    sys.exit(code)
