"""The machine that a model was trained on."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from platform import machine, python_version
from typing import Any, Final

_CPU_FILE: Final = Path("/proc/cpuinfo")
_LIBRARIES: Final = ("TFX", "TensorFlow", "Keras")


@dataclass(frozen=True)
class Machine:
    """What may make a difference to a result, or to how long it takes.

    Attributes:
        cpu: The processor's name.
        cores: How many of its cores this process may use.
        memory: Bytes of main memory.
        gpus: Names of the GPUs that were used, possibly none; None where nobody looked.
        versions: Of Darkroom, of the libraries below it and of Python.
    """

    cpu: str
    cores: int
    memory: int
    gpus: tuple[str, ...] | None
    versions: dict[str, str]

    @classmethod
    def here(cls, gpus: Sequence[str] | None = None) -> "Machine":
        """This machine; the GPUs are the caller's to say, who has TensorFlow."""
        found = {name: version(name.lower()) for name in _LIBRARIES}
        return cls(
            cpu=_read_cpu(_CPU_FILE),
            cores=len(os.sched_getaffinity(0)),
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            gpus=None if gpus is None else tuple(gpus),
            versions={"Darkroom": version("darkroom"), **found, "Python": python_version()},
        )

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "Machine":
        """One that was written as JSON."""
        gpus = content["gpus"]
        return cls(**{**content, "gpus": None if gpus is None else tuple(gpus)})

    def describe(self) -> str:
        """One line."""
        parts = [self.cpu, f"{self.cores} cores", f"{self.memory / 2**30:.0f} GiB of memory"]
        if self.gpus is not None:
            parts += self.gpus or ["no GPU"]
        return ", ".join(parts)

    def describe_versions(self) -> str:
        """One line."""
        return ", ".join(f"{name} {number}" for name, number in self.versions.items())


def _read_cpu(file: Path) -> str:
    """The processor's name; the architecture where the system does not tell."""
    lines = file.read_text().splitlines() if file.is_file() else ()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or machine()
