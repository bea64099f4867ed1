import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.tools.columns import SetupError
from darkroom.tools.setup_environment import INPUTS, Environment, run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(tmp_path) -> Environment:
    """A finished environment of a tiny tree: nothing is installed, all files are in place."""
    for name in INPUTS:
        shutil.copy(ROOT / name, tmp_path)
    made = Environment(tmp_path)
    made.python.parent.mkdir(parents=True)
    made.python.symlink_to(sys.executable)
    made.stamp.write_text(json.dumps(made.expected_stamp()))
    return made


@pytest.fixture
def steps(environment, monkeypatch) -> list[str]:
    """Which steps `make` takes, instead of taking them."""
    taken: list[str] = []
    monkeypatch.setattr(environment, "create", lambda: taken.append("create"))
    monkeypatch.setattr(environment, "fill", lambda: taken.append("fill"))
    return taken


def test_a_finished_environment_is_left_alone(environment, steps):
    environment.make()
    assert steps == []


@pytest.mark.parametrize("name", INPUTS)
def test_a_changed_input_is_installed_without_starting_over(environment, steps, name):
    with (environment.root / name).open("a") as file:
        file.write("# changed\n")
    environment.make()
    assert steps == ["fill"]


@pytest.mark.parametrize("content", [None, "", "{half"])
def test_a_half_made_environment_is_made_anew(environment, steps, content):
    environment.stamp.unlink()
    if content is not None:
        environment.stamp.write_text(content)
    environment.make()
    assert steps == ["create", "fill"]


def test_an_environment_that_lost_its_python_is_made_anew(environment, steps):
    environment.python.unlink()
    environment.python.symlink_to("/nowhere/python3.10")
    environment.make()
    assert steps == ["create", "fill"]


def test_an_environment_copied_from_another_tree_is_made_anew(environment, steps, tmp_path):
    stamp = {**environment.expected_stamp(), "root": "/elsewhere"}
    environment.stamp.write_text(json.dumps(stamp))
    environment.make()
    assert steps == ["create", "fill"]


def test_a_failing_command_is_named():
    with pytest.raises(SetupError, match=r"`sh -c exit 3` ended with status 3"):
        run(["sh", "-c", "exit 3"])
    with pytest.raises(SetupError, match="`absent-command` does not start"):
        run(["/nowhere/absent-command"])


def test_python_without_pip_names_the_package_to_install(environment, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SetupError, match=r"apt-get install python3\.\d+-venv"):
        environment.install_uv()


@pytest.mark.parametrize("name", ["__init__", "columns", "host", "setup_environment"])
def test_set_up_is_written_for_an_old_python_without_libraries(name):
    tree = ast.parse((ROOT / "tools" / f"{name}.py").read_text(), feature_version=(3, 8))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for alias in node.names
    }
    assert imported <= sys.stdlib_module_names


def test_the_command_ends_with_one_line_where_nothing_runs(tmp_path):
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in INPUTS:
        shutil.copy(ROOT / name, tmp_path)
    ended = subprocess.run(
        [sys.executable, "-m", "tools.setup_environment"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: No C++ compiler found")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / ".venv").exists()
