"""What `make` runs, in a folder and for a recipe with blanks and umlauts in their names."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from darkroom.tests.programs import find_program

ROOT = Path(__file__).resolve().parents[2]
RECIPE = "configs/mein Rezept für Größen.v2.yaml"
RECORDER = """#!/bin/sh
for word in "${0##*/}" "$@"; do printf '%s\\037' "$word"; done >> "$RECORD"
echo >> "$RECORD"
"""
TARGETS = re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)

pytestmark = pytest.mark.host


@pytest.fixture(autouse=True)
def _make_is_there():
    find_program("make")


@pytest.fixture
def checkout(tmp_path):
    """A folder whose programs only note what they are called with."""
    folder = tmp_path / "Größe mit Leerzeichen" / "dark room"
    (folder / "tests" / "serving" / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    programs = [
        f".venv/bin/{name}" for name in ("python", "darkroom", "ruff", "mypy", "lint-imports")
    ]
    programs += [".venv/uv/bin/uv", "tests/serving/deploy/install_tools.sh", "host/python3"]
    for name in programs:
        program = folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(RECORDER)
        program.chmod(0o755)
    return folder


def make(checkout: Path, target: str, locale: str = "C.UTF-8") -> list[list[str]]:
    """The command lines of a target, the program's name first."""
    record = checkout / "record"
    settings = [f"CONFIG={RECIPE}", "IMAGE=an image:1", "GPU_IMAGE=a gpu:1", "ROOT=s3://a b/ü"]
    ended = subprocess.run(
        ["make", "--silent", target, *settings],
        cwd=checkout,
        env={"PATH": f"{checkout}/host:/usr/bin:/bin", "RECORD": str(record), "LC_ALL": locale},
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    lines = record.read_text(encoding="utf-8").split("\n")[:-1] if record.exists() else []
    return [line.split("\x1f")[:-1] for line in lines]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("target", TARGETS)
def test_no_target_splits_a_word_at_its_blanks(checkout, target, locale):
    allowed = {RECIPE, "an image:1", "a gpu:1", "s3://a b/ü", "not e2e"}
    whole = {"mein", "Rezept", "für", "Größen.v2.yaml", "an", "a", "s3://a", "Größe", "dark"}
    for words in make(checkout, target, locale):
        assert not whole & set(words), words
        for word in (word for word in words if " " in word):
            assert word in allowed or "Größe mit Leerzeichen/dark room" in word or "=" in word


def test_recipe_arrives_whole(checkout):
    (command,) = [words for words in make(checkout, "run") if words[0] == "darkroom"]
    assert command == ["darkroom", "run", RECIPE]


def test_served_folder_is_that_of_the_checkout(checkout):
    (command,) = [
        words for words in make(checkout, "serve") if "darkroom.serving.model_server" in words
    ]
    assert f"--model_base_path={checkout}/models/digits" in command


def test_containers_push_below_the_name_of_the_recipe(checkout):
    (command,) = [
        words for words in make(checkout, "kubeflow-local") if "darkroom.kubeflow.local" in words
    ]
    assert command[3:] == [
        "--config", RECIPE, "--image", "an image:1",
        "--set", "push.destination=models/mein Rezept für Größen.v2-containers",
    ]  # fmt: skip


def test_help_lists_the_targets(checkout):
    command = ["make", "--no-print-directory"]
    ended = subprocess.run(command, cwd=checkout, capture_output=True, check=True)
    listed = [line.split()[1] for line in ended.stdout.decode().splitlines()]
    assert listed == TARGETS
