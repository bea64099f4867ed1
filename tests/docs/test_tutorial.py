"""docs/tutorial.md: a newcomer's way, from the installation of the wheel to an answer and back.

Its commands are run one after the other in a folder that holds photographs and the wheel; those of
README.md are some of them.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from darkroom.tests.photographs import find_clothing
from darkroom.tests.ports import free_ports
from darkroom.tests.programs import find_program
from darkroom.tests.rooms import ROOT
from darkroom.tests.wheel import build_wheel, make_environment

pytestmark = [pytest.mark.e2e, pytest.mark.host]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()


def find_blocks(text):
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


BLOCKS = find_blocks(TUTORIAL)
CLASSES = ("dress", "pants", "shoes")
IMAGES = 40
SECONDS = 600
END = "--- end of a block"


def copy_photographs(folder):
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for path in sorted((find_clothing() / "train" / name).iterdir())[:IMAGES]:
            shutil.copy(path, folder / name)


def run_script(script, folder, programs, settings):
    """Standard output; what the script left running is ended."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-e", "-c", script], cwd=folder, env={**kept, **settings, "PATH": path},
        start_new_session=True,
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
    shutil.copy(build_wheel(tmp_path_factory.mktemp("source")), folder)
    programs, settings = make_environment(tmp_path_factory.mktemp("environment"))
    ports = dict(zip(("8501", "8500"), map(str, free_ports(2)), strict=True))
    blocks = [re.sub("850[01]", lambda found: ports[found[0]], block) for block in BLOCKS]
    script = f"\necho {END}\n".join(blocks)
    printed = run_script(script, folder, programs, settings).split(f"{END}\n")
    return folder, dict(zip((block.splitlines()[0] for block in BLOCKS), printed, strict=True))


def test_the_commands_of_the_readme_are_among_them():
    (block,) = find_blocks((ROOT / "README.md").read_text())
    run = {line for each in BLOCKS for line in each.splitlines()}
    assert len(block.splitlines()) > 5
    assert set(block.splitlines()) <= run


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
