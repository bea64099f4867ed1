"""docs/tutorial.md: its commands, run one after the other in a folder of photographs."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.tests.photographs import find_clothing
from darkroom.tests.ports import free_ports
from darkroom.tests.programs import find_program

pytestmark = [pytest.mark.e2e, pytest.mark.host]
TUTORIAL = (Path(__file__).resolve().parents[2] / "docs" / "tutorial.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
CLASSES = ("dress", "pants", "shoes")
IMAGES = 40
SECONDS = 600
END = "--- end of a block"


def copy_photographs(folder):
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for path in sorted((find_clothing() / "train" / name).iterdir())[:IMAGES]:
            shutil.copy(path, folder / name)


def run_script(script, folder):
    """Standard output; what the script left running is ended."""
    commands = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        ["bash", "-e", "-c", script], cwd=folder, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"{output}\n{errors}"
    return output


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """The folder in which all commands have run, and what each block printed, by its first line."""
    find_program("curl")
    folder = tmp_path_factory.mktemp("tutorial")
    copy_photographs(folder / "photographs")
    ports = dict(zip(("8501", "8500"), map(str, free_ports(2)), strict=True))
    blocks = [re.sub("850[01]", lambda found: ports[found[0]], block) for block in BLOCKS]
    printed = run_script(f"\necho {END}\n".join(blocks), folder).split(f"{END}\n")
    return folder, dict(zip((block.splitlines()[0] for block in BLOCKS), printed, strict=True))


def test_init_says_what_the_tutorial_says(workplace):
    _, printed = workplace
    assert printed["darkroom init photographs --name clothes"] in TUTORIAL


def test_both_models_are_pushed_and_the_second_is_taken_back(workplace):
    _, printed = workplace
    assert "verdict   pushed" in printed["darkroom run clothes.yaml"]
    [second] = [text for line, text in printed.items() if "head_epochs" in line]
    assert "verdict   pushed" in second
    assert re.findall(r"^\d+ +(\w+)", second, re.MULTILINE) == ["served", "older"]
    states = re.findall(r"^\d+ +(\w+)", printed["darkroom rollback clothes"], re.MULTILINE)
    assert sorted(states) == ["served", "withdrawn"]


def test_most_photographs_are_recognized(workplace):
    folder, _ = workplace
    lines = (folder / "answers.txt").read_text().splitlines()
    assert len(lines) == len(CLASSES) * IMAGES
    right = [line for line in lines if Path(line.split(":")[0]).parent.name in line.split(":")[1]]
    assert len(right) > 0.8 * len(lines)


def test_the_server_answers_over_rest(workplace):
    _, printed = workplace
    [text] = [text for line, text in printed.items() if line.startswith("photo=")]
    document, _, line = text.strip().rpartition("\n")
    [prediction] = json.loads(document)["predictions"]
    assert prediction["valid"] and prediction["label"] in CLASSES
    assert line.split(": ")[1].startswith(prediction["label"])
