"""The commands a user types: pipeline.py and TFX's own."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from darkroom.tests.workspace import Workspace, cached

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 400
# Runs of an edited copy say nothing about how much of the project's own source is covered.
ENVIRONMENT = {name: text for name, text in os.environ.items() if not name.startswith("COV")}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("commands"), per_class=16)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, so that its source can be edited."""
    copy = tmp_path_factory.mktemp("project") / "darkroom"
    for name in (
        "components",
        "recipe",
        "records",
        "runner",
        "serving",
        "storage",
        "trainer",
        "transform",
    ):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "pipeline.py", ".python-version"):
        shutil.copyfile(ROOT / name, copy / name)
    return copy


def start(project, workspace, **sections):
    recipe = workspace.write_recipe(**sections)
    command = [sys.executable, "pipeline.py", "--config", str(recipe)]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(project.parent)}
    return subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True
    )


def run(project, workspace, **sections):
    process = start(project, workspace, **sections)
    output, _ = process.communicate(timeout=SECONDS)
    return process.returncode, output


def test_a_killed_run_loses_nothing_and_the_next_goes_on(project, workspace):
    process = start(project, workspace, trainer={"head_epochs": 400})
    for line in process.stdout:
        if "epoch" in line:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS)
    assert workspace.versions() == []
    code, output = run(project, workspace)
    assert code == 0, output
    assert cached(workspace.summary())["Transform"]
    assert not cached(workspace.summary())["Trainer"]
    assert len(workspace.versions()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_exits_with_one(project, workspace, number):
    trained = workspace.runs / "small" / "artifacts" / "Trainer"
    before = set(trained.glob("model*/*"))
    process = start(project, workspace, trainer={"head_epochs": 399})
    for line in process.stdout:
        if "epoch" in line:
            break
    assert set(trained.glob("model*/*")) > before
    process.send_signal(number)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "verdict   failed: interrupted" in output
    summary = workspace.summary()
    assert summary["status"] == "failed"
    assert summary["examples"]["train"] > 0
    assert Path(summary["report"]).is_file()
    assert set(trained.glob("model*/*")) == before


def test_the_terminal_shows_each_node_the_verdict_and_the_places(project, workspace):
    code, output = run(project, workspace)
    assert code == 0
    lines = output.splitlines()
    nodes = [line.split()[0] for line in lines if line.rstrip().endswith(("s", "cached"))]
    summary = workspace.summary()
    assert [node["name"] for node in summary["components"]] == [n for n in nodes if n[0].isupper()]
    assert "Trainer" in next(line for line in lines if line.startswith("Trainer"))
    assert next(line for line in lines if line.startswith("Trainer")).endswith("cached")
    assert any(line.startswith("verdict   unchanged: version") for line in lines)
    assert any(line.startswith("accuracy") for line in lines)
    assert summary["report"] in output
    log = Path(next(line.split(maxsplit=1)[1] for line in lines if line.startswith("log ")))
    assert log.stat().st_size > 1000
    assert "WARNING" not in output


def test_an_edited_trainer_runs_again_and_transform_does_not(project, workspace):
    with (project / "trainer" / "input.py").open("a") as source:
        source.write("\n# An edit.\n")
    code, output = run(project, workspace)
    assert code in (0, 3), output
    state = cached(workspace.summary())
    assert state["ImageExampleGen"]
    assert state["Transform"]
    assert not state["Trainer"]


def test_a_second_run_at_the_same_time_is_refused(project, workspace):
    with (workspace.runs / "small" / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = sorted(path.name for path in (workspace.runs / "small").iterdir())
        recipe = workspace.write_recipe()
        command = [sys.executable, "pipeline.py", "--config", str(recipe)]
        result = subprocess.run(
            command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
    assert result.returncode == 1
    assert result.stderr.startswith("error: another run of this pipeline is going on")
    assert sorted(path.name for path in (workspace.runs / "small").iterdir()) == before


def test_tfx_creates_lists_and_runs_the_pipeline(workspace, tmp_path):
    recipe = workspace.write_recipe()
    environment = {**os.environ, "HOME": str(tmp_path), "DARKROOM_CONFIG": str(recipe)}
    environment.pop("LOCAL_HOME", None)
    tfx = Path(sys.executable).with_name("tfx")

    def call(*arguments):
        return subprocess.run(
            [tfx, *arguments, "--engine=local"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    runs = sorted(path.name for path in (workspace.runs / "small").iterdir())
    created = call("pipeline", "create", f"--pipeline-path={ROOT / 'pipeline.py'}")
    assert created.returncode == 0, created.stdout + created.stderr
    assert 'Pipeline "small" created successfully.' in created.stdout
    assert sorted(path.name for path in (workspace.runs / "small").iterdir()) == runs
    listed = call("pipeline", "list")
    assert listed.returncode == 0
    assert "small" in listed.stdout
    started = time.time()
    ran = call("run", "create", "--pipeline-name=small")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    latest = workspace.runs / "small" / "latest" / "summary.json"
    assert latest.stat().st_mtime > started
    assert workspace.summary()["status"] in ("pushed", "unchanged")
