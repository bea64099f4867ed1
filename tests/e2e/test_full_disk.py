"""A disk that is too small for each node in turn; each test goes on from the last."""

import subprocess
import sys

import pytest

from darkroom import pipeline
from darkroom.tests.small_disk import fill, resize, small_disk
from darkroom.tests.workspace import Workspace, cached

pytestmark = pytest.mark.e2e
BEFORE_TRAINER = [
    *("ImageExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate", "Transform")
]
"""Which of them meets the end of the disk hangs on how long its log has become."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    made = Workspace(tmp_path_factory.mktemp("full"), per_class=8)
    with small_disk(made.runs, "100k"), small_disk(made.serving, "100k"):
        yield made


def run(workspace, capfd):
    recipe = workspace.write_recipe(
        trainer={"head_epochs": 1}, evaluation={"thresholds": {"accuracy": {"min": 0.0}}}
    )
    code = pipeline.main(["--config", str(recipe)])
    return code, capfd.readouterr()


@pytest.mark.parametrize(
    ("size", "nodes"),
    [
        ("100k", ["BaselineModel"]),
        ("600k", BEFORE_TRAINER),
        ("3m", ["Trainer"]),
    ],
)
def test_a_full_disk_is_named_and_the_summary_is_there(workspace, capfd, size, nodes):
    resize(workspace.runs, size)
    code, said = run(workspace, capfd)
    assert code == 1
    summary = workspace.summary()
    assert summary["status"] == "failed"
    node = summary["components"][-1]["name"]
    assert node in nodes
    assert summary["error"].startswith(f"{node}: runs_folder: no space left in ")
    assert str(workspace.runs / "small") in summary["error"]
    assert "make room there, or set runs_folder to" in summary["error"]
    assert summary["error"] in said.out
    page = (workspace.runs / "small" / "latest" / "report.html").read_text()
    assert "no space left in" in page


def test_a_full_serving_folder_is_named_and_nothing_half_stays(workspace, capfd):
    resize(workspace.runs, "20m")
    code, _ = run(workspace, capfd)
    assert code == 1
    summary = workspace.summary()
    assert summary["error"].startswith("Pusher: push.destination: no space left in ")
    assert repr(str(workspace.serving)) in summary["error"]
    assert workspace.versions() == []
    assert not list(workspace.serving.glob("*.partial"))


def test_no_room_at_all_is_told_on_the_terminal_and_nothing_else_is(workspace):
    recipe = workspace.write_recipe()
    filler = fill(workspace.runs)
    command = [sys.executable, "pipeline.py", "--config", str(recipe)]
    root = pipeline.DEFAULT_CONFIG.parent.parent
    try:
        ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    finally:
        filler.unlink()
    assert ran.returncode == 1
    assert "verdict   failed: BaselineModel: runs_folder: no space left in" in ran.stdout
    assert ran.stderr.startswith("error: runs_folder: no space left in")
    assert ran.stderr.count("\n") == 1
    assert len(ran.stdout.splitlines()) < 10


def test_with_room_it_goes_on_where_it_stopped(workspace, capfd):
    resize(workspace.serving, "20m")
    code, _ = run(workspace, capfd)
    assert code == 0
    assert workspace.summary()["status"] == "pushed"
    assert cached(workspace.summary())["Trainer"]
    assert len(workspace.versions()) == 1
