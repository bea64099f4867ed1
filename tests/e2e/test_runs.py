"""One pipeline, run again and again as its world changes; each test goes on from the last."""

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from darkroom import pipeline
from darkroom.runner.session import exit_code
from darkroom.storage.fingerprint import model_digest
from darkroom.tests.workspace import Workspace, cached

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("runs"))


def run(workspace, **sections):
    summary = pipeline.run(workspace.recipe(**sections), "recipe.yaml")
    assert summary == workspace.summary()
    return summary


@pytest.fixture(scope="module")
def first(workspace):
    return run(workspace)


def test_a_first_run_pushes_a_model_that_answers(workspace, first):
    assert first["status"] == "pushed"
    assert exit_code(first["status"]) == 0
    assert sum(first["examples"].values()) == 240
    assert not any(cached(first).values())
    assert first["metrics"]["accuracy"] >= 0.5
    assert first["baseline_metrics"] is None
    assert workspace.versions() == [first["pushed_version"]]
    signature = tf.saved_model.load(first["pushed_path"]).signatures["serving_default"]
    images = sorted((workspace.data / "images").iterdir())
    answer = signature(image_bytes=tf.constant([path.read_bytes() for path in images[:50]]))
    assert answer["valid"].numpy().all()
    assert len(set(answer["label"].numpy())) > 5
    warm_up = workspace.serving / str(first["pushed_version"]) / "assets.extra"
    assert (warm_up / "tf_serving_warmup_requests").stat().st_size > 100
    origin = json.loads((warm_up / "darkroom.json").read_text())
    assert (origin["recipe"], origin["run"]) == ("small", first["run_id"])
    assert origin["metrics"] == first["metrics"]
    assert origin["digest"] == model_digest(Path(first["pushed_path"]))


def test_the_report_stands_on_its_own(workspace, first):
    folder = workspace.runs / "small" / first["run_id"]
    page = (folder / "report.html").read_text()
    assert "data:image/" in page
    assert 'src="http' not in page
    assert first["run_id"] in first["report"]
    assert "Time of each node" in page and "Trained on" in page
    assert first["data_fingerprint"] in page
    assert "| 3 | " in (folder / "MODEL_CARD.md").read_text(), "classes were counted"
    assert "letters rendered from fonts" in (folder / "MODEL_CARD.md").read_text()


def test_an_identical_second_run_trains_and_pushes_nothing_even_if_it_must_improve(
    workspace, first
):
    second = run(workspace, evaluation={"thresholds": {"accuracy": {"min_improvement": 0.01}}})
    assert second["status"] == "unchanged"
    assert exit_code(second["status"]) == 0
    assert second["pushed_version"] == first["pushed_version"]
    assert workspace.versions() == [first["pushed_version"]]
    names = ("ImageExampleGen", "StatisticsGen", "SchemaGen", "Transform", "Trainer")
    assert all(cached(second)[name] for name in names)
    assert not cached(second)["Pusher"]


def test_a_worse_model_does_not_replace_a_better_one(workspace, first):
    worse = run(
        workspace,
        trainer={"weights": "none", "head_epochs": 1},
        evaluation={"thresholds": {"accuracy": {"min": 0.0, "min_improvement": 0.0}}},
    )
    assert worse["status"] == "not_blessed"
    assert exit_code(worse["status"]) == 3
    assert "change of accuracy" in worse["error"]
    assert worse["baseline_metrics"]["accuracy"] > worse["metrics"]["accuracy"]
    assert workspace.versions() == [first["pushed_version"]]
    assert cached(worse)["Transform"]
    assert not cached(worse)["Trainer"]


def test_a_withdrawn_model_is_not_pushed_again_until_somebody_says_so(workspace, first):
    version = first["pushed_version"]
    withdrawn = workspace.serving / f".{version}.withdrawn"
    (workspace.serving / str(version)).rename(withdrawn)
    held = run(workspace)
    assert held["status"] == "withdrawn"
    assert exit_code(held["status"]) == 4
    assert str(withdrawn) in held["error"]
    assert workspace.versions() == []
    assert cached(held)["Trainer"]
    page = (workspace.runs / "small" / "latest" / "report.html").read_text()
    assert "Withdrawn" in page and str(withdrawn) in page
    assert 'href="../20' in page, "the run before"
    withdrawn.rename(workspace.serving / str(version))
    assert run(workspace)["status"] == "unchanged"


def test_an_emptied_serving_folder_is_filled_again(workspace, first):
    digest = model_digest(workspace.serving / str(first["pushed_version"]))
    shutil.rmtree(workspace.serving)
    again = run(workspace)
    assert again["status"] == "pushed"
    assert cached(again)["Trainer"]
    (version,) = workspace.versions()
    assert version > first["pushed_version"]
    assert model_digest(workspace.serving / str(version)) == digest


def test_one_changed_image_runs_everything_from_ingest_on(workspace, first):
    images = sorted((workspace.data / "images").iterdir())
    original = images[0].read_bytes()
    images[0].write_bytes(images[1].read_bytes())
    try:
        changed = run(workspace, trainer={"head_epochs": 1})
    finally:
        images[0].write_bytes(original)
    names = ("ImageExampleGen", "StatisticsGen", "Transform", "Trainer", "Evaluator")
    assert not any(cached(changed)[name] for name in names)


def test_unusable_rows_above_the_limit_stop_the_run_and_are_kept(workspace, first):
    versions = workspace.versions()
    table = workspace.data / "labels.csv"
    original = table.read_text()
    table.write_text(original + "".join(f"missing/{n}.png,3,block_01\n" for n in range(40)))
    try:
        stopped = run(workspace)
    finally:
        table.write_text(original)
    assert stopped["status"] == "failed"
    assert exit_code(stopped["status"]) == 1
    assert stopped["error"].startswith("DataGate: data.max_quarantined: 40 of 280 rows")
    assert stopped["examples"]["quarantined"] == 40
    assert [node["name"] for node in stopped["components"]][-1] == "DataGate"
    assert workspace.versions() == versions
    kept = list((workspace.runs / "small" / "artifacts").rglob("quarantine.jsonl"))
    assert any("missing/39.png" in path.read_text() for path in kept)
    page = (workspace.runs / "small" / "latest" / "report.html").read_text()
    assert "40 of 280 rows" in page, "what stopped it"
    assert "missing/0.png" in page, "the quarantine"
