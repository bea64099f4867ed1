"""The node, on real artifacts and a real SavedModel."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.artifact_utils import encode_split_names
from tfx.types.channel import Channel

from darkroom.components.artifacts import Quarantine, Report
from darkroom.components.run_report.component import RunReport
from darkroom.components.run_report.data import Request
from darkroom.components.run_report.executor import Executor, collect, read_verdict
from darkroom.components.run_report.provenance import list_facts
from darkroom.records.training import EpochRecord, TrainingRecord
from darkroom.tests.components.run_report.pages import Page
from darkroom.tests.images import encode, pixels
from darkroom.tests.records.test_evaluation import METRICS
from darkroom.transform import features

REQUEST = Request("digits")


class ByLength(tf.Module):
    """Answers `long` for images of more than 500 bytes; those that begin with `x` are invalid."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serve(self, image_bytes):
        valid = tf.strings.substr(image_bytes, 0, 1) != "x"
        label = tf.where(tf.strings.length(image_bytes) > 500, "long", "short")
        return {"label": label, "score": tf.where(valid, 0.75, 0.0), "valid": valid}


def artifact(kind: type[Artifact], folder: Path, **properties: object) -> list[Artifact]:
    folder.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri = str(folder)
    for name, value in properties.items():
        if isinstance(value, int):
            made.set_int_custom_property(name, value)
        else:
            made.set_string_custom_property(name, value)
    return [made]


def example(image: bytes, label: str, path: str) -> bytes:
    values = {features.IMAGE: image, features.LABEL: label.encode()}
    values[features.IMAGE_PATH] = path.encode()
    named = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, list[Artifact]]:
    root = tmp_path_factory.mktemp("artifacts")
    examples = artifact(
        standard_artifacts.Examples, root / "examples", examples_train=0, examples_eval=3
    )
    examples[0].split_names = encode_split_names(["train", "eval"])
    (root / "examples" / "Split-eval").mkdir()
    shard = str(root / "examples" / "Split-eval" / "data_tfrecord-00000-of-00001")
    with tf.io.TFRecordWriter(shard) as writer:
        writer.write(example(encode(pixels(8, 8)), "short", "right.png"))
        writer.write(example(encode(pixels(40, 40)), "short", "mistaken.png"))
        writer.write(example(b"x", "short", "broken.png"))
    model = ByLength()
    tf.saved_model.save(
        model, str(root / "model" / "Format-Serving"), signatures={"serving_default": model.serve}
    )
    evaluation = artifact(standard_artifacts.ModelEvaluation, root / "evaluation")
    (root / "evaluation" / "metrics.json").write_text(json.dumps(METRICS))
    return {
        "examples": examples,
        "model": artifact(standard_artifacts.Model, root / "model"),
        "evaluation": evaluation,
        "pushed_model": artifact(
            standard_artifacts.PushedModel,
            root / "pushed",
            push_state="not_blessed",
            pushed_version=5,
            pushed_destination="models/digits/5",
            reason="Evaluator: accuracy is 0.9000, wanted ≥ 0.95",
        ),
    }


def test_the_executor_writes_the_page(inputs, tmp_path):
    report = artifact(Report, tmp_path / "absent" / "report")
    (tmp_path / "absent" / "report").rmdir()
    properties = {"pipeline": "digits", "recipe": '{"trainer": {"seed": 7}}'}
    Executor().Do(inputs, {"report": report}, properties)
    page = Page((tmp_path / "absent" / "report" / "index.html").read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert "Not blessed" in text
    assert "accuracy is 0.9000; wanted ≥ 0.95" in text
    assert "1 wrong of 3 images looked at. The model could not decode 1 of them." in text
    assert "mistaken.png" in text and "right.png" not in text
    assert "75.0 % sure" in text
    assert "seed: 7" in text
    assert page.tags.count("img") == 1
    card = (tmp_path / "absent" / "report" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "# Model card: digits" in card and "Nothing was pushed." in card
    kept = collect({"report": report}, REQUEST).mistakes
    assert [mistake.path for mistake in kept.worst] == ["mistaken.png"]
    assert kept.worst[0].picture.startswith("data:image/")


def test_collect_reads_counts_and_leaves_out_what_is_not_there(inputs):
    data = collect(inputs, REQUEST, run_id="a run")
    assert (data.data.train, data.data.eval) == (0, 3)
    assert (data.history, data.data.quarantine, data.data.anomalies) == (None, None, None)
    assert data.run_id == "a run"
    assert data.problems == ()


def test_facts_of_the_training(inputs, tmp_path):
    run = artifact(standard_artifacts.ModelRun, tmp_path)
    epochs = tuple(EpochRecord("head", n, 1.0, 0.5, 1.0 / n, 0.5, 30.5) for n in (1, 2))
    TrainingRecord(epochs, seconds=61.0).write(tmp_path)
    data = collect({**inputs, "model_run": run}, REQUEST)
    assert ("Training", "2 epochs in 1 min 1 s") in list_facts(data)
    assert data.history.best.epoch == 2


def test_a_state_from_the_future_is_no_verdict(inputs, tmp_path):
    pushed = artifact(standard_artifacts.PushedModel, tmp_path, push_state="postponed")
    assert read_verdict({**inputs, "pushed_model": pushed}, None).state == "unknown"


def test_a_withdrawn_model_is_explained(inputs, tmp_path):
    pushed = artifact(
        standard_artifacts.PushedModel, tmp_path, push_state="withdrawn", reason="remove the note"
    )
    verdict = read_verdict({**inputs, "pushed_model": pushed}, None)
    assert (verdict.state, verdict.reasons) == ("withdrawn", ("remove the note",))


@pytest.mark.parametrize("name", ["examples", "model", "evaluation", "pushed_model"])
def test_no_missing_input_is_fatal(inputs, name):
    data = collect({key: inputs[key] for key in inputs if key != name}, REQUEST)
    assert data.problems == ()


def test_a_broken_input_is_a_problem_and_not_a_failure(inputs, tmp_path):
    broken = {
        **inputs,
        "quarantine": artifact(Quarantine, tmp_path / "quarantine"),
        "model": artifact(standard_artifacts.Model, tmp_path / "model"),
    }
    data = collect(broken, REQUEST)
    assert [problem.split(":")[0] for problem in data.problems] == ["No quarantine", "No mistakes"]
    assert data.evaluation is not None


def test_a_refusal_by_the_serving_check_is_named(inputs, tmp_path):
    infra = artifact(
        standard_artifacts.InfraBlessing, tmp_path, blessed=0, reason="REST answers otherwise"
    )
    verdict = read_verdict({**inputs, "infra_blessing": infra}, None)
    assert verdict.reasons == ("ServingCheck: REST answers otherwise",)
    alone = read_verdict(inputs, None)
    assert alone.reasons == ("Evaluator: accuracy is 0.9000, wanted ≥ 0.95",)


def test_wiring():
    node = RunReport(
        examples=Channel(type=standard_artifacts.Examples),
        model=Channel(type=standard_artifacts.Model),
        evaluation=Channel(type=standard_artifacts.ModelEvaluation),
        pushed_model=Channel(type=standard_artifacts.PushedModel),
        pipeline="digits",
        recipe="{}",
    )
    assert set(node.inputs) == {"examples", "model", "evaluation", "pushed_model"}
    assert node.outputs["report"].type is Report
    assert node.executor_spec.executor_class is Executor
