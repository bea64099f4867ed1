import fcntl
import io
import json
import os
from dataclasses import replace

import pytest
from tfx.types import standard_artifacts

from darkroom.components.artifacts import Quarantine, Report
from darkroom.records.counts import ExampleCounts
from darkroom.records.evaluation import Evaluation, Slice
from darkroom.records.push import PushOutcome
from darkroom.records.run import NodeResult
from darkroom.records.training import EpochRecord, TrainingRecord
from darkroom.runner.session import (
    RunBusyError,
    RunError,
    RunSession,
    captured,
    exit_code,
    open_place,
)
from darkroom.runner.summary import summarize
from darkroom.runner.terminal import Terminal
from darkroom.tests.artifacts import make_artifact

NODES = ["ImageExampleGen", "Evaluator", "Pusher", "RunReport"]
EVALUATION = Evaluation(
    Slice("overall", {"accuracy": 0.9, "auc": None}, {"accuracy": 0.8, "auc": 0.7})
)


def node_results(folder, state="pushed"):
    """Results of a run whose nodes all ran."""
    examples = make_artifact(standard_artifacts.Examples, folder / "examples")
    quarantine = make_artifact(Quarantine, folder / "quarantine")
    ExampleCounts(80, 20, 0, 3).write(examples, quarantine)
    evaluation = make_artifact(standard_artifacts.ModelEvaluation, folder / "evaluation")
    (folder / "evaluation").mkdir()
    EVALUATION.write(folder / "evaluation")
    pushed = make_artifact(standard_artifacts.PushedModel, folder / "pushed")
    reason = "poor [bold]" if state == "not_blessed" else ""
    PushOutcome(state, 7, "models/7", reason).write(pushed)
    report = make_artifact(Report, folder / "report")
    outputs = [
        {"examples": [examples], "quarantine": [quarantine]},
        {"evaluation_result": [evaluation]},
        {"pushed_model": [pushed]},
        {"report": [report]},
    ]
    return [
        NodeResult(name, 1.23456, "cached" if index == 0 else "run", "", made)
        for index, (name, made) in enumerate(zip(NODES, outputs, strict=True))
    ]


def make_pages(run):
    """A page that says what it was told."""
    return {"report.html": f"{run.run_id} {run.error} {run.previous}", "CARD.md": "a card"}


def test_a_summary_of_a_whole_run(tmp_path):
    summary = summarize(node_results(tmp_path), NODES)
    artifacts = summary.pop("artifacts")
    assert artifacts["Evaluator"] == {"evaluation_result": [str(tmp_path / "evaluation")]}
    assert set(artifacts) == set(NODES)
    assert summary == {
        "status": "pushed",
        "error": "",
        "components": [
            {"name": name, "seconds": 1.235, "cached": name == "ImageExampleGen"} for name in NODES
        ],
        "examples": {"train": 80, "eval": 20, "test": 0, "quarantined": 3},
        "metrics": {"accuracy": 0.9, "auc": None},
        "baseline_metrics": {"accuracy": 0.8, "auc": 0.7},
        "notes": [],
        "pushed_version": 7,
        "pushed_path": "models/7",
    }


def test_what_the_training_says_is_in_summary_and_on_the_terminal(tmp_path):
    results = node_results(tmp_path)
    run = make_artifact(standard_artifacts.ModelRun, tmp_path / "run")
    epoch = EpochRecord("head", 1, 1.0, 0.5, 1.0, 0.5, 2.0)
    TrainingRecord((epoch,), ("head stopped early [so]",)).write(tmp_path / "run")
    said = replace(EVALUATION, learned_nothing="the model learned nothing")
    said.write(tmp_path / "evaluation")
    trainer = NodeResult("Trainer", 1.0, "run", "", {"model_run": [run]})
    summary = summarize([*results, trainer], NODES)
    assert summary["notes"] == ["head stopped early [so]", "the model learned nothing"]
    output = io.StringIO()
    Terminal(output).summary(summary, {})
    assert "note      head stopped early [so]\n" in output.getvalue()
    assert "note      the model learned nothing\n" in output.getvalue()


def test_a_node_that_failed_or_never_ran_makes_the_run_fail(tmp_path):
    results = node_results(tmp_path)
    failed = [*results[:1], NodeResult("Evaluator", 2.0, "failed", "no room")]
    summary = summarize(failed, NODES)
    assert (summary["status"], summary["error"]) == ("failed", "Evaluator: no room")
    assert summary["examples"]["quarantined"] == 3
    assert summary["metrics"] is None
    unfinished = summarize(results[:3], NODES)
    assert (unfinished["status"], unfinished["error"]) == ("failed", "RunReport did not run")


@pytest.mark.parametrize(
    ("state", "code"),
    [("pushed", 0), ("unchanged", 0), ("failed", 1), ("not_blessed", 3), ("withdrawn", 4)],
)
def test_exit_codes(state, code):
    assert exit_code(state) == code


def test_a_session_writes_shows_and_points_to_the_latest(tmp_path):
    stream = io.StringIO()
    with open_place(tmp_path / "home") as place:
        facts = {"config": "r.yaml", "recipe": {}}
        session = RunSession(place, Terminal(stream), facts, make_pages)
        session.started(103, 10)
        session.expect(NODES)
        for result in node_results(tmp_path, "not_blessed"):
            session.node_ended(result)
        summary = session.finish()
    latest = tmp_path / "home" / "latest"
    assert latest.is_symlink()
    assert json.loads((latest / "summary.json").read_text()) == summary
    assert (latest / "report.html").read_text() == f"{place.run_id}  "
    assert (latest / "CARD.md").read_text() == "a card"
    assert summary["error"] == "poor [bold]"
    assert summary["pushed_version"] is None, "the version that stays is another model"
    lines = stream.getvalue().splitlines()
    begun = f"run {place.run_id}: 103 rows, 10 classes; loading TensorFlow and TFX"
    assert lines[0] == begun
    assert lines[1] == "ImageExampleGen       1.2 s  cached"
    assert "examples  80 train, 20 eval, 3 quarantined" in lines
    assert "accuracy     0.9000    0.8000  +0.1000" in lines
    assert "verdict   not blessed: nothing was pushed (poor [bold])" in lines
    assert not any("auc" in line for line in lines)


def test_a_withdrawn_model_has_a_verdict_with_the_remedy(tmp_path):
    results = node_results(tmp_path, "withdrawn")
    (pushed,) = results[2].outputs["pushed_model"]
    PushOutcome("withdrawn", 7, "models/7", "version 9 was").write(pushed)
    summary = summarize(results, NODES)
    assert (summary["status"], summary["error"]) == ("withdrawn", "version 9 was")
    stream = io.StringIO()
    Terminal(stream).summary(summary, {})
    assert "verdict   withdrawn: nothing was pushed (version 9 was)" in stream.getvalue()


def test_a_second_run_moves_the_pointer(tmp_path):
    for _ in range(2):
        with open_place(tmp_path) as place:
            session = RunSession(place, Terminal(io.StringIO()), {}, make_pages)
            session.finish("stopped")
            (place.folder / "summary.json").unlink()
    assert (tmp_path / "latest").resolve() == place.folder.resolve()


def test_an_error_outside_of_a_node_is_in_the_summary(tmp_path):
    with open_place(tmp_path) as place:
        session = RunSession(place, Terminal(io.StringIO()), {}, make_pages)
        summary = session.finish("OSError: disk full")
    assert (summary["status"], summary["error"]) == ("failed", "OSError: disk full")
    assert summary["report"] is None


def test_an_empty_run_leaves_no_folder_and_a_busy_pipeline_is_refused(tmp_path):
    with open_place(tmp_path) as place:
        assert place.folder.is_dir()
        with pytest.raises(RunBusyError, match="another run"), open_place(tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    with (tmp_path / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_place_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="runs_folder: cannot make"), open_place(tmp_path / "file"):
        pass


@pytest.mark.parametrize("verbose", [True, False])
def test_a_trace_is_shown_to_those_who_ask(verbose):
    stream = io.StringIO()
    failed = NodeResult("Trainer", 1.0, "failed", "no room", trace="Traceback [line 1]\n")
    Terminal(stream, verbose).node_ended(failed)
    assert stream.getvalue().startswith("Trainer               1.0 s  failed\n")
    assert ("Traceback [line 1]" in stream.getvalue()) == verbose


@pytest.mark.parametrize("verbose", [True, False])
def test_what_is_said_while_loading_is_in_the_log_and_shown_to_those_who_ask(
    tmp_path, capfd, verbose
):
    with open_place(tmp_path) as place:
        with captured(place, verbose) as terminal:
            session = RunSession(place, terminal, {}, make_pages)
            os.write(2, b"there is no CUDA\n")
            session.expect(NODES)
        assert "there is no CUDA" in (place.folder / "run.log").read_text()
    assert ("there is no CUDA" in capfd.readouterr().out) == verbose
