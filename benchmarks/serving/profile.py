"""Where a server's time goes: py-spy's samples of all its threads, by function."""

import collections
import contextlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TOP: Final = 20
"""Functions in the table."""
RATE: Final = 100
"""Samples per second, of each thread that does something."""
STOP_SECONDS: Final = 30.0


@dataclass
class Profile:
    """Samples by stack.

    Attributes:
        stacks: Stack, outermost function first with `;` between, to number of samples.
        error: Why there are none.
    """

    stacks: collections.Counter[str] = field(default_factory=collections.Counter)
    error: str = ""

    def table(self) -> str:
        """Returns the functions in which most samples were taken, self and total, as text."""
        if not self.stacks:
            return f"no profile: {self.error or 'not one sample'}"
        total = sum(self.stacks.values())
        own, within = count_functions(self.stacks)
        lines = [f"{total} samples", "  self  total  function"]
        for name, count in own.most_common(TOP):
            lines.append(f"{count / total:6.1%} {within[name] / total:6.1%}  {name}")
        return "\n".join(lines)


def count_functions(
    stacks: "collections.Counter[str]",
) -> "tuple[collections.Counter[str], collections.Counter[str]]":
    """Counts samples by function: those in it itself, and those in it or what it calls."""
    own: collections.Counter[str] = collections.Counter()
    within: collections.Counter[str] = collections.Counter()
    for stack, count in stacks.items():
        names = [_strip_line(frame) for frame in stack.split(";")]
        own[names[-1]] += count
        within.update(dict.fromkeys(names, count))
    return own, within


def _strip_line(frame: str) -> str:
    """Samples in different lines of a function belong together."""
    return frame.rsplit(":", 1)[0] + ")" if frame[-2:-1].isdigit() else frame


def read_stacks(lines: Iterable[str]) -> "collections.Counter[str]":
    """Reads py-spy's raw format: a stack, a space and its samples on each line."""
    stacks: collections.Counter[str] = collections.Counter()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        if stack and count.isdigit():
            stacks[stack] += int(count)
    return stacks


@contextlib.contextmanager
def record_profile(pid: int, seconds: float, file: Path) -> Iterator[Profile]:
    """Samples a process while the block runs; the profile is there when it has ended.

    Args:
        file: Where to leave the stacks, for flame graphs.
    """
    profile = Profile()
    command = [
        str(Path(sys.executable).with_name("py-spy")), "record", f"--pid={pid}",
        f"--duration={seconds:.0f}", f"--rate={RATE}", "--format=raw", "--threads",
        f"--output={file}",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            yield profile
            _, errors = process.communicate(timeout=STOP_SECONDS)
        finally:
            process.kill()
    if file.exists():
        profile.stacks = read_stacks(file.read_text().splitlines())
    else:
        # It may trace processes of its own user only where the system lets it.
        profile.error = " ".join(errors.decode(errors="replace").split())[:300]
