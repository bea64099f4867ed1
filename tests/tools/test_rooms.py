"""Where the package lies, and what import-linter cannot see."""

import subprocess
import sys
from pathlib import Path

import pytest

import darkroom
from darkroom.tests.rooms import ROOMS, ROOT


def test_the_package_is_this_checkout_from_any_folder(tmp_path):
    command = [sys.executable, "-c", "import darkroom; print(darkroom.__file__)"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).resolve() == ROOT / "__init__.py"


def test_the_package_is_imported_without_tfx():
    command = [sys.executable, "-c", "import sys, darkroom; print('tfx' in sys.modules)"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_a_name_that_the_package_has_not_is_missing_as_ever():
    assert not hasattr(darkroom, "Unheard")


@pytest.mark.parametrize("room", ROOMS)
def test_every_folder_of_code_is_a_package(room):
    """A folder without `__init__.py` would be missing from the wheel."""
    folders = {path.parent for path in (ROOT / room).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
