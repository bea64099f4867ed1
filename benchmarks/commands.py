"""Seconds of the commands that need no TensorFlow: `python -m darkroom.benchmarks.commands`.

Each is a process of its own, in a folder with forty images and a run; the best of three counts.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from darkroom.samples import digits

COMMANDS: Final = (
    "--help", "init mine --output new.yaml", "check mine.yaml", "runs", "show mine",
    "versions mine", "recipe trainer",
)  # fmt: skip
SECONDS: Final = 1.0
"""What each may take."""
_ROUNDS: Final = 3
_SUMMARY: Final[dict[str, Any]] = {
    "run_id": "20260101-120000", "config": "mine.yaml", "status": "pushed", "error": "",
    "recipe": {"push": {"destination": "models/mine", "model_name": "mine"}},
    "components": [{"name": "Trainer", "seconds": 60.0, "cached": False}],
    "examples": {"train": 32, "eval": 8, "quarantined": 0}, "metrics": {"accuracy": 0.9},
    "baseline_metrics": None, "notes": [], "pushed_version": 1, "pushed_path": "models/mine/1",
    "report": None,
}  # fmt: skip


class Measured(NamedTuple):
    """What a command took, in seconds, and whether it imported TensorFlow."""

    wall: float
    cpu: float
    imports_tensorflow: bool


def main() -> int:
    """Prints a row of docs/benchmarks.md for each; returns 1 where one takes longer."""
    late = False
    with tempfile.TemporaryDirectory() as scratch:
        _furnish(Path(scratch))
        for words in COMMANDS:
            found = measure(words, Path(scratch))
            late |= found.wall > SECONDS or found.imports_tensorflow
            loaded = "yes" if found.imports_tensorflow else "no"
            print(f"| `darkroom {words}` | {found.wall:.2f} | {found.cpu:.2f} | {loaded} |")
    return int(late)


def measure(words: str, folder: Path) -> Measured:
    """Runs a command several times.

    Raises:
        CalledProcessError: It failed.
    """
    command = [sys.executable, "-m", "darkroom", *words.split()]
    times = []
    for _ in range(_ROUNDS):
        before, started = os.times(), time.perf_counter()
        _run(command, folder)
        now = os.times()
        cpu = now.children_user + now.children_system - before.children_user
        times.append((time.perf_counter() - started, cpu - before.children_system))
    said = _run([sys.executable, "-X", "importtime", *command[1:]], folder)
    return Measured(*min(times), bool(re.search(r"\| +tensorflow$", said, re.MULTILINE)))


def _run(command: list[str], folder: Path) -> str:
    """Standard error; what the command wrote is removed, so that it can be run again."""
    ended = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    (folder / "new.yaml").unlink(missing_ok=True)
    return ended.stderr


def _furnish(folder: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        digits.main(["--output", str(folder / "mine"), "--layout", "folders", "--per-class", "4"])
    _run([sys.executable, "-m", "darkroom", "init", "mine"], folder)
    run = folder / "runs" / "mine" / str(_SUMMARY["run_id"])
    version = folder / "models" / "mine" / "1"
    for made in (run, version):
        made.mkdir(parents=True)
    (run.parent / ".lock").touch()
    (version / "saved_model.pb").touch()
    (run / "summary.json").write_text(json.dumps(_SUMMARY))


if __name__ == "__main__":
    sys.exit(main())
