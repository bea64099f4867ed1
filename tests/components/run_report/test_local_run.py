"""The pages about a run that has ended."""

import json

from tfx.types import standard_artifacts

from darkroom.components.artifacts import Quarantine
from darkroom.components.run_report.data import Request
from darkroom.components.run_report.local_run import clean, find_inputs, make_pages
from darkroom.pipeline import InputState, create_pipeline
from darkroom.records.evaluation import Evaluation, Slice
from darkroom.records.run import EndedRun, NodeResult
from darkroom.tests.components.run_report.pages import Page
from darkroom.tests.components.run_report.test_run_report import artifact
from darkroom.tests.workspace import Workspace

NODES = ("ImageExampleGen", "ExampleValidator", "DataGate", "Trainer", "Pusher")
HOSTILE = "<script>alert('&')</script>"


def quarantine(folder):
    folder.mkdir()
    summary = {"rows": 9, "quarantined": 4, "reasons": {"not_an_image": 4}}
    (folder / "summary.json").write_text(json.dumps(summary))
    row = {"row": 3, "image_path": HOSTILE, "label": "x", "reason": "not_an_image", "detail": ""}
    (folder / "quarantine.jsonl").write_text(json.dumps(row) + "\n")
    return artifact(Quarantine, folder, quarantined=4)


def ended_run(results, error="DataGate: too many", trace="", log=()):
    return EndedRun("a run", error, tuple(results), NODES, trace, tuple(log), "one before")


def report(run):
    return make_pages(run, Request("small"))["report.html"]


def test_the_page_says_where_and_why_it_ended_and_shows_the_data(tmp_path):
    results = [
        NodeResult(
            "ImageExampleGen", 1.0, "cached", outputs={"quarantine": quarantine(tmp_path / "q")}
        ),
        NodeResult("ExampleValidator", 1.0, "run"),
        NodeResult("DataGate", 0.25, "failed", "too many"),
    ]
    trace = "\n".join(f"frame {number}" for number in range(100)) + f"\n{HOSTILE}"
    html = report(ended_run(results, trace=trace, log=[HOSTILE, "last"]))
    page = Page(html)
    text = " ".join(page.text.split())
    assert "Failed" in text and "The run ended early. Nothing was pushed." in text
    assert "DataGate: too many" in text
    assert "9 rows in: 5 became examples, 4 (44.44 %) are in quarantine" in text
    assert "DataGate failed 0.2 s" in text and "Trainer not run Pusher not run" in text
    assert "frame 99" in text and "frame 50" not in text
    assert "Learning curves" not in text and "Confusion matrix" not in text
    assert "<script" not in html
    assert text.count(HOSTILE) == 3
    assert page.addresses == ["data:,", "../one before/report.html"]


def test_a_model_that_was_pushed_before_is_named(tmp_path):
    pushed = artifact(
        standard_artifacts.PushedModel, tmp_path, push_state="pushed", pushed_version=7
    )
    results = [
        NodeResult("Pusher", 1.0, "run", outputs={"pushed_model": pushed}),
        NodeResult("RunReport", 1.0, "failed", "no room"),
    ]
    assert "pushed as version 7 before that" in report(ended_run(results))


def test_the_pages_of_a_run_that_ended_well(tmp_path):
    for name in ("evaluation", "pushed"):
        (tmp_path / name).mkdir()
    measured = Evaluation(Slice("overall", {"accuracy": 0.5, "example_count": 4.0}))
    measured.write(tmp_path / "evaluation")
    pushed = artifact(
        standard_artifacts.PushedModel, tmp_path / "pushed", push_state="pushed", pushed_version=7
    )
    evaluation = artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation")
    results = [
        NodeResult("Evaluator", 3.25, "run", outputs={"evaluation": evaluation}),
        NodeResult("Pusher", 1.0, "cached", outputs={"pushed_model": pushed}),
    ]
    pages = make_pages(ended_run(results, error=""), Request("small"))
    assert set(pages) == {"report.html", "MODEL_CARD.md"}
    text = " ".join(Page(pages["report.html"]).text.split())
    assert "pushed as version 7" in text and "How it ended" not in text
    assert "Evaluator run 3.2 s Pusher cached 1.0 s" in text
    assert "| accuracy | 50.00 % | 15.0–85.0 % |" in pages["MODEL_CARD.md"]


def test_what_a_node_left_in_a_mess_is_a_problem_and_no_failure(tmp_path):
    results = [
        NodeResult(
            "ImageExampleGen", 1.0, "run", outputs={"quarantine": artifact(Quarantine, tmp_path)}
        )
    ]
    assert "No quarantine: FileNotFoundError" in report(ended_run(results))


def test_a_run_of_which_nothing_is_known_has_a_page():
    nothing = EndedRun("r", "e", results=(), expected=(), trace="", log=())
    assert "The run ended early" in report(nothing)


def test_lines_are_as_one_would_read_them():
    lines = ["\x1b[31mred\x1b[0m", "1/9\r2/9\r", "a\x00b\tc"]
    assert clean(lines) == ("red", "2/9", "ab\tc")


def made(node, key):
    one = node.outputs[key].type()
    one.producer_component, one.name = node.id, key
    return [one]


def test_it_reads_what_run_report_would(tmp_path):
    recipe = Workspace(tmp_path, per_class=2).recipe()
    nodes = create_pipeline(recipe, InputState(), str(tmp_path)).components
    (report,) = [node for node in nodes if node.id == "RunReport"]
    wired = {
        key: (channel.producer_component_id, channel.output_key)
        for key, channel in report.inputs.items()
    }
    assert wired.pop("model") == ("Trainer", "model")
    results = [
        NodeResult(node.id, 1.0, "run", outputs={key: made(node, key) for key in node.outputs})
        for node in nodes
    ]
    found = find_inputs(ended_run(results))
    (own,) = found.pop("report")
    assert (own.producer_component, own.name) == ("RunReport", "report")
    assert {key: (one.producer_component, one.name) for key, (one,) in found.items()} == wired
