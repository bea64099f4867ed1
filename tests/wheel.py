"""The package as people install it."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from darkroom.tests.rooms import ROOMS, ROOT

MODULES = ("__init__.py", "__main__.py", "py.typed", "pipeline.py")


def build_wheel(folder: Path) -> Path:
    """Builds the wheel, from a copy of what it is made of.

    Args:
        folder: Where; empty.
    """
    for room in (*ROOMS, "configs", "docs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / room, folder / room, ignore=ignored)
    for name in (*MODULES, "pyproject.toml", "setup.py", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (built,) = (folder / "dist").glob("darkroom-*.whl")
    return built


def make_environment(folder: Path) -> tuple[Path, dict[str, str]]:
    """Makes a virtual environment that has the libraries of this one, but not the checkout.

    Args:
        folder: Where; made.

    Returns:
        The folder of its programs, `pip` among them, and variables with which pip takes a wheel
        as it is: the libraries are there, and no index is asked.
    """
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    (site,) = folder.glob("lib/python*/site-packages")
    # Path files in it are not read, so that the checkout stays outside.
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = programs / "pip"
    pip.write_text(f'#!/bin/sh\nexec "{programs / "python"}" -m pip "$@"\n')
    pip.chmod(0o755)
    settings = ("NO_DEPS", "NO_INDEX", "IGNORE_INSTALLED", "DISABLE_PIP_VERSION_CHECK")
    return programs, {f"PIP_{name}": "1" for name in settings}
