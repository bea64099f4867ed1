"""How much memory a piece of a test takes."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

_STATUS = Path("/proc/self/status")


@contextlib.contextmanager
def peak_growth() -> Iterator[Callable[[], float]]:
    """Yields what tells, behind the block, how far the resident memory rose in it: megabytes."""
    Path("/proc/self/clear_refs").write_text("5")  # The peak is the present value again.
    before = _read("VmHWM")
    yield lambda: _read("VmHWM") - before


def _read(name: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1000
    raise ValueError(f"{_STATUS} has no {name}")
