"""docs/asking.md: its examples, run as they stand against a server that has the signatures."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.serving.model_server import ModelServer, ServerConfig
from darkroom.tests.programs import find_program
from darkroom.tests.serving.saved_models import save_zoo

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "asking.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
LABEL = "cat"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asking")
    save_zoo(folder / "3")
    config = ServerConfig(model_name="clothes", model_base_path=folder)
    with ModelServer(config) as running:
        running.wait_until_available(timeout_seconds=0)
        yield running


@pytest.fixture
def folder(tmp_path):
    """A photograph, a folder of two, and the environment's programs."""
    (tmp_path / "photos").mkdir()
    for name in ("photo.jpg", "photos/a.jpg", "photos/b.jpg"):
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def examples():
    for language, block in BLOCKS:
        marks = [pytest.mark.host] if "curl" in block else []
        yield pytest.param(language, block, marks=marks, id=block[:30])


@pytest.mark.parametrize("language, block", [*examples()])
def test_every_example_is_answered(language, block, server, folder):
    if "curl" in block:
        find_program("curl")
    text = block.replace("8501", str(server.rest_port)).replace("8500", str(server.grpc_port))
    program = {"sh": ["bash", "-e", "-c"], "python": [sys.executable, "-c"]}[language]
    ended = subprocess.run(
        [*program, text], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert LABEL in ended.stdout
