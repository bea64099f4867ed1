"""Which column of versions a host can run: TFX 1.21 on new systems, TFX 1.16 on the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SetupError(Exception):
    """The environment cannot be made; the message is one line that says what to do."""


class Column(NamedTuple):
    """One supported set of versions.

    Attributes:
        tfx: TFX release, for messages.
        pythons: Python minor versions, the preferred one first.
        glibc: Oldest glibc that its wheels accept, (major, minor).
        download: Python version to fetch when the host has none of `pythons`.
    """

    tfx: str
    pythons: tuple[tuple[int, int], ...]
    glibc: tuple[int, int]
    download: tuple[int, int]


# tensorflow-data-validation >= 1.17 and ml-metadata 1.21 have manylinux_2_39 wheels only.
NEW = Column("1.21", ((3, 13), (3, 12), (3, 11)), (2, 39), (3, 12))
# Pillow, pyzmq and optree publish manylinux_2_28 wheels; older hosts build them from source.
OLD = Column("1.16", ((3, 10),), (2, 17), (3, 10))
COLUMNS = (NEW, OLD)

MACHINE = "x86_64"
"""ml-metadata publishes Linux wheels for this processor only."""


class Interpreter(NamedTuple):
    """A Python found on the host.

    Attributes:
        version: (major, minor).
        path: Absolute path of the executable.
        headers: Whether `Python.h` is there, so that C extensions build.
    """

    version: tuple[int, int]
    path: str
    headers: bool


class Host(NamedTuple):
    """What matters about a machine.

    Attributes:
        system: As `platform.system()` says, such as "Linux".
        machine: As `platform.machine()` says, such as "x86_64".
        glibc: (major, minor), or None where the C library is another one.
        compiler: Whether a C++ compiler is on the PATH.
    """

    system: str
    machine: str
    glibc: tuple[int, int] | None
    compiler: bool
    interpreters: Sequence[Interpreter]


class Choice(NamedTuple):
    """The decision.

    Attributes:
        interpreter: The Python to use, or None to download `column.download`.
        why: Half a sentence for the user.
    """

    column: Column
    interpreter: Interpreter | None
    why: str

    def describe(self) -> str:
        """One line for the user: what was picked and why."""
        version = self.interpreter.version if self.interpreter else self.column.download
        return f"TFX {self.column.tfx} on Python {dotted(version)}: {self.why}."


def dotted(version: tuple[int, int]) -> str:
    """(3, 10) as "3.10"."""
    return ".".join(str(part) for part in version)


def choose(host: Host) -> Choice:
    """Pick the newest column that the host can run.

    Raises:
        SetupError: No column runs here; the message names the cause and the remedy.
    """
    refuse_platform(host)
    runnable = [column for column in COLUMNS if host.glibc and host.glibc >= column.glibc]
    for column in runnable:
        interpreter = pick_interpreter(column, host.interpreters)
        if interpreter:
            return Choice(column, interpreter, explain(column, host))
    column = runnable[0]
    missing = explain_missing(column, host)
    return Choice(column, None, f"{missing}, so uv downloads one")


def refuse_platform(host: Host) -> None:
    """Raise SetupError where neither column can run, whatever Python there is."""
    if host.system != "Linux":
        raise SetupError(
            f"TFX has no wheels for {host.system} that both columns share: use Linux, "
            "a Linux virtual machine or a container."
        )
    if host.machine != MACHINE:
        raise SetupError(
            f"ml-metadata, which TFX needs, has Linux wheels for {MACHINE} only; "
            f"this host is {host.machine}. Use an {MACHINE} machine or container."
        )
    if host.glibc is None:
        raise SetupError(
            f"TFX's wheels need glibc {dotted(OLD.glibc)} or newer and this system has another "
            "C library (Alpine's musl?): use Debian, Ubuntu, Fedora or the like."
        )
    if host.glibc < OLD.glibc:
        raise SetupError(
            f"This host has glibc {dotted(host.glibc)}; TFX {OLD.tfx} needs {dotted(OLD.glibc)} "
            f"and TFX {NEW.tfx} needs {dotted(NEW.glibc)}: use a newer system."
        )
    if not host.compiler:
        raise SetupError(
            "No C++ compiler found: pyfarmhash, which TFX needs, is built from source. "
            "Debian, Ubuntu: apt-get install g++ python3-dev python3-venv"
        )


def pick_interpreter(column: Column, found: Sequence[Interpreter]) -> Interpreter | None:
    """The first usable interpreter in the column's order of preference, or None."""
    for version in column.pythons:
        for interpreter in found:
            if interpreter.version == version and interpreter.headers:
                return interpreter
    return None


def explain(column: Column, host: Host) -> str:
    """Why this column and not the other, given that it has an interpreter on the host."""
    assert host.glibc is not None  # refuse_platform has seen to it.
    has = f"this host has glibc {dotted(host.glibc)}"
    if column is NEW:
        return f"{has} (it needs {dotted(NEW.glibc)})"
    if host.glibc < NEW.glibc:
        return f"{has}, TFX {NEW.tfx} needs {dotted(NEW.glibc)}"
    return f"TFX {NEW.tfx} needs one of 3.11 to 3.13, and {explain_missing(NEW, host)}"


def explain_missing(column: Column, host: Host) -> str:
    """Why none of the host's Pythons serves a column."""
    for found in host.interpreters:
        if found.version in column.pythons:
            version = dotted(found.version)
            return f"Python {version} here lacks its C headers (python{version}-dev)"
    names = [dotted(version) for version in sorted(column.pythons)]
    return f"there is no Python {' or '.join(names)} here"
