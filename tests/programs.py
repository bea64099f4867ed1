"""Programs that tests run, and that a developer's machine may lack and CI's may not."""

import os
import shutil
from typing import NoReturn

import pytest


def find_program(name: str, package: str = "") -> str:
    """Returns the path of a program; where it is missing, fails in CI and skips the test elsewhere.

    Args:
        name: Name of the program.
        package: Debian's package that has it, if it is called otherwise.
    """
    path = shutil.which(name)
    return path or give_up(f"{name} is missing: apt-get install {package or name}")


def give_up(message: str) -> NoReturn:
    """Fails the present test in CI, which has what tests need, and skips it elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
