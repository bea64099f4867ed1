"""What the host is and which Pythons it has."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from .columns import COLUMNS, Host, Interpreter, dotted

PROBE = """
import json, os, platform, sys, sysconfig
header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
print(json.dumps([platform.python_implementation(), sys.version_info[:2], os.path.exists(header)]))
"""
COMPILERS = ("c++", "g++", "clang++")


def look_at_host(environ: Mapping[str, str]) -> Host:
    """Collect the facts that decide the column."""
    return Host(
        system=platform.system(),
        machine=platform.machine(),
        glibc=glibc_version(),
        compiler=any(shutil.which(name, path=environ.get("PATH")) for name in COMPILERS),
        interpreters=list(find_interpreters(environ)),
    )


def glibc_version() -> tuple[int, int] | None:
    """The running glibc as (major, minor), or None under another C library."""
    return parse_glibc(" ".join(platform.libc_ver()))


def parse_glibc(name: str) -> tuple[int, int] | None:
    """Read "glibc 2.36" as (2, 36); None for any other text."""
    library, _, version = name.partition(" ")
    parts = version.split(".")
    if library != "glibc" or len(parts) < 2 or not all(part.isdigit() for part in parts[:2]):
        return None
    return int(parts[0]), int(parts[1])


def find_interpreters(environ: Mapping[str, str]) -> Iterator[Interpreter]:
    """Every CPython of a supported version on the PATH and among pyenv's versions."""
    seen = set()
    for path in candidate_paths(environ):
        if path in seen:
            continue
        seen.add(path)
        interpreter = probe(path)
        if interpreter:
            yield interpreter


def candidate_paths(environ: Mapping[str, str]) -> Iterator[Path]:
    """Executables that may be a supported Python, in the order in which to prefer them."""
    folders = [Path(part) for part in environ.get("PATH", "").split(os.pathsep) if part]
    pyenv = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/")) / ".pyenv")
    for version in (version for column in COLUMNS for version in column.pythons):
        name = f"python{dotted(version)}"
        kept = sorted(pyenv.glob(f"versions/{dotted(version)}*/bin"), reverse=True)
        for folder in [*folders, *kept]:
            path = folder / name
            if path.is_file() and os.access(path, os.X_OK):
                yield path


def probe(path: Path) -> Interpreter | None:
    """Ask an executable what it is; None for one that does not answer as CPython.

    A pyenv shim of a version that is not selected exits with an error, and is passed over so.
    """
    try:
        answer = subprocess.run(
            [str(path), "-I", "-c", PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=True,
        )
        implementation, version, headers = json.loads(answer.stdout.decode())
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if implementation != "CPython":
        return None
    return Interpreter((version[0], version[1]), str(path), headers)
