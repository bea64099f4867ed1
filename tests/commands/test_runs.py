"""Runs that have left their folders, listed, shown and found."""

import fcntl
import json

import pytest

from darkroom.commands.main import main
from darkroom.runner.runs import find_run, list_pipelines, list_runs
from darkroom.runner.session import LOCK_FILE, RunError

SUMMARY = {
    "config": "configs/mine.yaml",
    "recipe": {"name": "mine", "push": {"destination": "models/mine", "model_name": "mine"}},
    "status": "pushed",
    "error": "",
    "components": [{"name": "Trainer", "seconds": 61.5, "cached": False}],
    "examples": {"train": 80, "eval": 20, "quarantined": 1},
    "metrics": {"accuracy": 0.9},
    "baseline_metrics": None,
    "notes": [],
    "pushed_version": 1700000000,
    "pushed_path": "models/mine/1700000000",
    "report": None,
}


@pytest.fixture
def folder(tmp_path):
    write_run(tmp_path / "runs", "mine", "20260101-120000")
    write_run(tmp_path / "runs", "mine", "20260102-120000", status="not_blessed", error="too low")
    write_run(tmp_path / "runs", "other", "20260101-120000")
    (tmp_path / "runs/mine/20260103-120000").mkdir()
    (tmp_path / "runs/mine/latest").symlink_to("20260102-120000")
    (tmp_path / "runs/mine/artifacts").mkdir()
    (tmp_path / "runs/not-a-pipeline").mkdir()
    return tmp_path / "runs"


def write_run(folder, pipeline, run_id, **changes):
    place = folder / pipeline / run_id
    place.mkdir(parents=True)
    (folder / pipeline / LOCK_FILE).touch()
    summary = {"run_id": run_id, **SUMMARY, **changes}
    (place / "summary.json").write_text(json.dumps(summary))


def test_runs_are_listed_the_newest_first(folder):
    assert list_pipelines(folder) == ["mine", "other"]
    runs = list_runs(folder / "mine")
    assert [(run.place.run_id, run.status) for run in runs] == [
        ("20260103-120000", "killed"),
        ("20260102-120000", "not_blessed"),
        ("20260101-120000", "pushed"),
    ]
    assert runs[-1].seconds == 61.5


def test_a_run_that_goes_on_is_no_killed_one(folder):
    with (folder / "mine" / LOCK_FILE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        states = [run.status for run in list_runs(folder / "mine")]
    assert states == ["running", "not_blessed", "pushed"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mine", "mine/20260103-120000"),
        ("other", "other/20260101-120000"),
        ("20260102-120000", "mine/20260102-120000"),
        ("other/20260101-120000", "other/20260101-120000"),
        ("mine/1700000000", "mine/20260101-120000"),
    ],
)
def test_a_run_is_found_by_any_of_its_names(folder, name, found):
    assert find_run(folder, name).name == found


def test_a_name_of_two_runs_is_refused_with_both(folder):
    with pytest.raises(RunError, match="several: mine/20260101-120000, other/20260101-120000"):
        find_run(folder, "20260101-120000")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "mone"], "there is no run 'mone' in {}; did you mean 'mine'?"),
        (["show", "mine/20260101-12"], "did you mean 'mine/20260101-120000'?"),
        (["show", "17"], "give one that `darkroom runs` lists"),
        (["runs", "mone"], "no pipeline 'mone' has run in {}; did you mean 'mine'?"),
        (["versions", "x"], "no pipeline 'x' has run in {}; use one of mine, other"),
    ],
)
def test_what_may_be_meant_is_said(folder, capsys, arguments, said):
    assert main([*arguments, "--runs", str(folder)]) == 1
    assert said.format(repr(str(folder))) in capsys.readouterr().err


def test_a_summary_that_is_none_is_named(folder):
    (folder / "other/20260101-120000/summary.json").write_text("{")
    with pytest.raises(RunError, match=r"other/20260101-120000/summary\.json' is no summary"):
        list_runs(folder / "other")


def test_the_list_has_a_line_a_run(folder, capsys):
    assert main(["runs", "mine", "--runs", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "mine/20260101-120000" in lines[3] and "0.9000" in lines[3] and "62" in lines[3]
    assert "not blessed" in lines[2]
    assert main(["runs", "--runs", str(folder), "-n", "1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in shown] == ["mine/20260103-120000", "other/20260101-120000"]


def test_a_run_is_shown_as_it_ended(folder, capsys):
    assert main(["show", "20260102-120000", "--runs", str(folder)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "Trainer",
        "61.5 s",
        "80 train",
        "accuracy",
        "not blessed: nothing was pushed (too low)",
    ):
        assert part in shown
    assert main(["show", "other", "--runs", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pushed_version"] == 1700000000
    assert main(["show", "mine", "--runs", str(folder)]) == 1
    assert "is killed: it has no summary" in capsys.readouterr().err
