"""The memory of models that have been let go.

TensorFlow's objects hold each other in circles, so that a model stays until garbage is collected.
What loading leaves behind, several copies of the graph with its constants, is freed at once, but
glibc keeps it for itself: half of what a process that has just loaded a ResNet50 holds.
"""

import ctypes
import gc
import threading


class Collector:
    """Collects garbage for many threads; what several ask for at once is done once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = 0

    def collect(self) -> None:
        """Returns when all has been collected that was garbage at the time of the call."""
        begun = self._begun
        with self._lock:
            if self._begun > begun:
                return
            self._begun += 1
            gc.collect()


_COLLECTOR = Collector()


def give_back() -> None:
    """Frees what nobody refers to any more.

    Holds up the whole process: half a second with TensorFlow imported, a hundredth of one after
    `set_aside`.
    """
    _COLLECTOR.collect()


def trim() -> None:
    """Returns to the system what has been freed, where the C library is one that can."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


def set_aside() -> None:
    """Leaves all objects that there are now out of garbage collection for good.

    For a process that is nothing but a server: nearly all objects are those of TensorFlow's
    modules, which never become garbage.
    """
    gc.collect()
    gc.freeze()
