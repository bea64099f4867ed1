"""The commands on what real runs left: versions, serving, asking, pruning, running again."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from darkroom import pipeline
from darkroom.commands.main import main
from darkroom.runner.runs import list_runs
from darkroom.storage.versions.lifecycle import find_served
from darkroom.tests.workspace import Workspace, cached

pytestmark = pytest.mark.e2e
SECONDS = 120


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Two runs that pushed, with a seed each."""
    made = Workspace(tmp_path_factory.mktemp("commands"), per_class=16)
    for seed in (1, 5):
        assert pipeline.main(["--config", str(made.write_recipe(trainer={"seed": seed}))]) == 0
    return made


def program(workspace, *arguments):
    command = [sys.executable, "-m", "darkroom", *arguments, "--runs", str(workspace.runs)]
    return subprocess.Popen(
        command, cwd=workspace.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def predict(workspace, *arguments):
    images = [str(path) for path in sorted(workspace.data.rglob("*.png"))[:3]]
    process = program(workspace, "predict", *images, *arguments)
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert [line.rpartition(":")[0] for line in output.splitlines()] == images
    return output, errors


def test_the_pushed_model_is_served_asked_and_stopped(workspace):
    process = program(workspace, "serve", "small", "--port", "0", "--grpc-port", "0")
    assert process.stdout.readline().startswith("loading version ")
    (address,) = re.findall(r"http://\S+/v1/models/small", line := process.stdout.readline())
    assert line.endswith("Ctrl-C ends it\n")
    with urllib.request.urlopen(address) as answer:
        assert json.load(answer)["model_version_status"][0]["state"] == "AVAILABLE"
    _, errors = predict(workspace, "--rest", address.removesuffix("/v1/models/small"))
    assert errors == ""
    os.kill(process.pid, signal.SIGINT)
    rest, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, rest, errors) == (130, "", "")
    with pytest.raises(OSError):
        urllib.request.urlopen(address, timeout=5)


def plan(workspace, capsys, *arguments):
    capsys.readouterr()
    assert main(["run", str(workspace.write_recipe()), "--dry-run", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def test_a_dry_run_says_what_would_run_and_why_and_writes_nothing(workspace, capsys):
    home = workspace.runs / "small"
    before = sorted((path, path.stat().st_mtime_ns) for path in home.rglob("*"))
    planned = plan(workspace, capsys)
    assert planned["ImageExampleGen"] == planned["Transform"] == planned["Trainer"] == "cached"
    assert planned["RunReport"] == "runs: it always does"
    planned = plan(workspace, capsys, "--set", "trainer.seed=77")
    assert planned["Transform"] == "cached"
    assert planned["Trainer"] == "runs: changed: custom_config"
    assert planned["ServingCheck"] == "runs: after Trainer"
    assert sorted((path, path.stat().st_mtime_ns) for path in home.rglob("*")) == before


def test_two_runs_are_laid_side_by_side(workspace, capsys):
    second, first = (run.name for run in list_runs(workspace.runs / "small")[:2])
    assert main(["compare", first, second, "--runs", str(workspace.runs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recipe"] == {"trainer.seed": [1, 5]}
    assert found["metrics"][0].keys() == found["metrics"][1].keys()
    low, high = found["accuracy_intervals"][0]
    assert low < found["metrics"][0]["accuracy"] <= high
    answers = found["answers"]
    right = [round(each["accuracy"] * answers["images"]) for each in found["metrics"]]
    assert right[0] - right[1] == answers["first_only"] - answers["second_only"]
    assert Path(found["page"]).read_text().startswith("<!doctype html>")
    assert main(["compare", first, second, "--runs", str(workspace.runs)]) == 0
    printed = capsys.readouterr().out
    assert "recipe    trainer.seed: 1 → 5" in printed
    assert f"accuracy  {low * 100:.1f}–" in printed


def test_without_a_server_one_is_started_for_the_question(workspace):
    _, errors = predict(workspace)
    assert errors.startswith("loading version ") and errors.count("\n") == 1


def test_a_rollback_holds_against_the_next_run(workspace, capsys):
    served = find_served(str(workspace.serving)).number
    assert main(["rollback", "small", "--runs", str(workspace.runs)]) == 0
    recipe = workspace.write_recipe(trainer={"seed": list_runs_seed(workspace, served)})
    assert pipeline.main(["--config", str(recipe)]) == 4
    assert find_served(str(workspace.serving)).number < served
    assert main(["promote", "small", str(served), "--runs", str(workspace.runs)]) == 0
    assert find_served(str(workspace.serving)).number == served


def list_runs_seed(workspace, version):
    runs = list_runs(workspace.runs / "small")
    return next(run.summary["recipe"]["trainer"]["seed"] for run in runs if run.version == version)


def prune(workspace, *arguments):
    return main(["prune", "small", "--runs", str(workspace.runs), *arguments])


def test_pruning_leaves_what_other_runs_and_the_cache_need(workspace, capsys):
    home, models = workspace.runs / "small", workspace.runs / "small/artifacts/Trainer/model"
    before = list_runs(home)
    assert (len(before), len(list(models.iterdir()))) == (3, 2)
    assert prune(workspace, "--keep", "1", "--dry-run") == 0
    assert "would free" in capsys.readouterr().out
    assert list_runs(home) == before
    assert prune(workspace, "--keep", "1") == 0
    # The newest, and the one whose version is served.
    assert list_runs(home) == before[:2]
    assert len(list(models.iterdir())) == 1
    assert pipeline.main(["--config", str(workspace.write_recipe(trainer={"seed": 5}))]) == 0
    assert cached(workspace.summary())["Trainer"]


def test_what_was_pruned_is_made_anew(workspace):
    assert pipeline.main(["--config", str(workspace.write_recipe(trainer={"seed": 1}))]) == 0
    assert not cached(workspace.summary())["Trainer"]
    assert len(workspace.versions()) > 1
    assert prune(workspace, "--keep-versions", "1") == 0
    assert workspace.versions() == [find_served(str(workspace.serving)).number]
