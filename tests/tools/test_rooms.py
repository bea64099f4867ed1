"""Names and the direction of imports that import-linter cannot see."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("components", "kubeflow", "runner", "serving", "trainer", "transform")


def imported_by(text: str) -> set[str]:
    """Top-level names that a module of this text imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
    return found


@pytest.mark.parametrize("name", [*ROOMS, "samples"])
def test_each_room_is_ours(name):
    assert Path(importlib.util.find_spec(name).origin) == ROOT / name / "__init__.py"


def test_rooms_are_ours_from_any_folder_too(tmp_path):
    script = f"import importlib.util as u; print(*(u.find_spec(n).origin for n in {ROOMS!r}))"
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(ROOT / name / "__init__.py") for name in ROOMS]


@pytest.mark.parametrize(
    ("module", "above"),
    [("config.py", {"pipeline", "kubeflow", "runner"}), ("pipeline.py", {"kubeflow"})],
)
def test_imports_of_the_top_level_modules_go_down(module, above):
    text = (ROOT / module).read_text()
    # The recipe composes the rooms' sections, the topmost room's too.
    text = text.replace("from kubeflow.config import", "from sections import")
    assert not imported_by(text) & (above | {"samples", "tests", "tools", "benchmarks"})


@pytest.mark.parametrize("room", ROOMS)
def test_every_folder_of_code_is_a_package(room):
    """A folder without `__init__.py` would be missing from the wheel."""
    folders = {path.parent for path in (ROOT / room).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
