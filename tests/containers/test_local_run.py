"""The compiled pipeline in local containers: needs a container engine and the image.

`make kubeflow-test` runs these; DARKROOM_IMAGE names the image.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from darkroom.kubeflow.local import STEP_LABEL
from darkroom.tests.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[2]
IMAGE = os.environ.get("DARKROOM_IMAGE", "darkroom:latest")
STEPS = 12
SECONDS = 300
"""Longest time of one run."""


def command(workspace, **sections):
    recipe = workspace.write_recipe(**sections)
    return [
        sys.executable,
        "-m",
        "darkroom.kubeflow.local",
        "--config",
        str(recipe),
        "--image",
        IMAGE,
    ]


def run_in_containers(workspace, **sections):
    words = command(workspace, **sections)
    ended = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=SECONDS)
    latest = workspace.runs / "small-containers" / "latest"
    return ended, json.loads((latest / "summary.json").read_text()), latest.resolve()


def run_in_one_container(workspace):
    """The same recipe with the same versions of everything, on TFX's local runner."""
    folder = workspace.folder
    content = workspace.changed(push={"destination": str(folder / "serving-of-one")})
    content["runs_folder"] = str(folder / "runs-of-one")
    recipe = folder / "one.yaml"
    recipe.write_text(yaml.safe_dump(content))
    words = [
        *("docker", "run", "--rm", "--init", "--user", f"{os.getuid()}:{os.getgid()}"),
        *("--volume", f"{folder}:{folder}", IMAGE),
        *("python", "pipeline.py", "--config", str(recipe)),
    ]
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=SECONDS)
    return json.loads((folder / "runs-of-one/small/latest/summary.json").read_text())


def running(condition):
    """Containers that run and fulfil a condition of `docker ps`."""
    words = ["docker", "ps", "--quiet", "--filter", condition]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


def steps(workspace):
    return f"label={STEP_LABEL}={workspace.runs / 'small-containers'}"


def left_of(workspace):
    """Steps, and the driver, which sees the folder of the runs."""
    return running(steps(workspace)) + running(f"volume={workspace.runs / 'small-containers'}")


def break_an_image(workspace):
    min(workspace.data.rglob("*.png")).write_bytes(b"no image")


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("containers"))


@pytest.fixture(scope="module")
def run(workspace):
    return run_in_containers(workspace)


def test_every_step_runs_and_the_model_is_pushed(run, workspace):
    ended, summary, folder = run
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert summary["status"] == "pushed"
    assert [step["cached"] for step in summary["components"]] == [False] * STEPS
    assert workspace.versions() == [summary["pushed_version"]]
    assert Path(summary["pushed_path"], "saved_model.pb").is_file()
    assert summary["examples"]["train"] + summary["examples"]["eval"] == 240
    assert Path(summary["report"]).read_text().startswith("<!doctype html>")
    assert len(list((folder / "steps").glob("*.log"))) == STEPS


def test_progress_is_a_line_a_step(run):
    lines = run[0].stdout.splitlines()
    assert lines[0].startswith("run ")
    for step in ("ImageExampleGen", "Trainer", "RunReport"):
        assert any(line.startswith(step) and line.endswith(" s") for line in lines)
    assert any(line.startswith("verdict   pushed: version ") for line in lines)


def test_metrics_are_those_of_a_run_without_kubeflow(run, workspace):
    one = run_in_one_container(workspace)["metrics"]
    assert set(one) == set(run[1]["metrics"])
    for name, value in one.items():
        assert run[1]["metrics"][name] == pytest.approx(value, abs=1e-6), name


def test_nothing_goes_on_running(run, workspace):
    assert not left_of(workspace)


def test_a_step_that_fails_ends_the_run_with_its_last_lines(run, workspace):
    break_an_image(workspace)
    ended, summary, folder = run_in_containers(workspace, data={"max_quarantined": 0.0})
    assert ended.returncode == 1
    assert summary["status"] == "failed"
    assert summary["error"].startswith("DataGate: ")
    assert "error: " + summary["error"].removeprefix("DataGate: ") in ended.stdout
    assert [step["name"] for step in summary["components"]][-1] == "DataGate"
    assert "error: " in (folder / "steps" / "DataGate.log").read_text()
    assert not list(workspace.serving.glob(".*.partial"))


def start(workspace):
    """A run that would end at DataGate; returns when its first step runs."""
    break_an_image(workspace)
    process = subprocess.Popen(
        command(workspace, data={"max_quarantined": 0.0}),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: running(steps(workspace)) or process.poll() is not None)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process


def test_a_run_that_is_asked_to_end_stops_its_step_and_says_so(run, workspace):
    """As a cancelled job of continuous integration is: by a signal to this process alone."""
    process = start(workspace)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "interrupted" in output
    assert not left_of(workspace)


def test_what_a_killed_run_left_running_is_stopped_by_the_next(run, workspace):
    process = start(workspace)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(left_of(workspace)) > 1, (
        "driver and step: the engine runs them, not the process that was killed"
    )
    ended, summary, _ = run_in_containers(workspace, data={"max_quarantined": 0.0})
    assert (ended.returncode, summary["status"]) == (1, "failed")
    assert summary["error"].startswith("DataGate: "), "it was not in the way of the next run"
    assert not left_of(workspace)
    assert workspace.versions() == [run[1]["pushed_version"]]
