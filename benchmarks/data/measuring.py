"""Processes, and the time and memory that they take."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MODEL: Final = {"backbone": "mobilenet_v2", "alpha": 0.35, "weights": "none"}
_ENVIRONMENT: Final = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        name: What was measured.
        images: How many went through.
        seconds: By the clock.
        cpu_seconds: Of all threads and processes.
        peak_mb: Largest resident memory of the process.
        disk: Bytes that stay on the disk, as a share of the source's.
    """

    name: str
    images: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    disk: float = 0.0

    @property
    def images_per_cpu_second(self) -> float:
        """Images in a second of CPU time."""
        return self.images / self.cpu_seconds


def measure_part(name: str, folder: Path, work: Path) -> Measured:
    """One of `darkroom.benchmarks.data.parts`, in a process of its own; without its imports."""
    command = [sys.executable, "-m", "darkroom.benchmarks.data.parts", name, str(folder), str(work)]
    said = subprocess.run(
        command, env=_ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    return Measured(name=name, **json.loads(said.stdout.splitlines()[-1]))


def measure_whole(folder: Path, work: Path, epochs: int) -> list[Measured]:
    """The plain script and the pipeline, from the start of the process to its end."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    script = Path(__file__).with_name("plain_script.py")
    recipe = work / "recipe.json"
    recipe.write_text(json.dumps(_recipe(folder, work, epochs)))
    commands = {
        "plain Keras script": [str(script), str(folder), str(work / "script"), str(epochs)],
        "darkroom run": ["-m", "darkroom", "run", str(recipe)],
    }
    source = sum(path.stat().st_size for path in files)
    measured = []
    for name, command in commands.items():
        before = sum(_sizes(work))
        seconds, cpu_seconds, peak_mb = _run([sys.executable, *command], work)
        disk = (sum(_sizes(work)) - before) / source
        measured.append(Measured(name, len(files), seconds, cpu_seconds, peak_mb, disk))
    return measured


def _recipe(folder: Path, work: Path, epochs: int) -> dict[str, object]:
    return {
        "name": "bench",
        "data": {"path": str(folder), "format": "folders"},
        "trainer": {**MODEL, "head_epochs": epochs, "fine_tune_epochs": epochs},
        "evaluation": {"thresholds": {"accuracy": {"min": 0.0001}}},
        "push": {"destination": str(work / "models"), "model_name": "bench"},
        "runs_folder": str(work / "runs"),
    }


def _run(command: list[str], work: Path) -> tuple[float, float, float]:
    """Seconds, CPU-seconds and peak MB of a process.

    Raises:
        subprocess.CalledProcessError: It failed; its output is in the folder.
    """
    started = time.monotonic()
    with (work / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, env=_ENVIRONMENT, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = (work / "output.txt").read_text(errors="replace")
        raise subprocess.CalledProcessError(process.returncode, command, said)
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path.stat().st_size
