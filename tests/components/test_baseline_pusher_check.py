"""BaselineModel, ServingCheck and Pusher on a real model, executor by executor."""

import json
import shutil

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tfx.types import standard_artifacts

from darkroom.components.baseline_model import executor as baseline_model
from darkroom.components.pusher import executor as pusher
from darkroom.components.pusher.config import PushConfig
from darkroom.components.serving_check import executor as serving_check
from darkroom.records.evaluation import Evaluation, Slice
from darkroom.serving.client import Prediction
from darkroom.storage.fingerprint import model_digest
from darkroom.storage.versions.place import served_version
from darkroom.tests import brightness
from darkroom.tests.artifacts import make_artifact, make_examples


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("push")


@pytest.fixture(scope="module")
def examples(folder):
    return make_examples(folder / "examples", brightness.IMAGES, brightness.LABELS)


@pytest.fixture(scope="module")
def model(folder):
    output = brightness.transform_output(folder)
    brightness.export_model(output, folder / "model" / "Format-Serving", 128)
    return make_artifact(standard_artifacts.Model, folder / "model")


def blessing(kind, folder, blessed, reason=""):
    artifact = make_artifact(kind, folder)
    artifact.set_int_custom_property("blessed", blessed)
    artifact.set_string_custom_property("reason", reason)
    return artifact


@pytest.fixture
def push(tmp_path, model, examples):
    def run(model_blessed=1, infra_blessed=1, destination=tmp_path / "serving"):
        inputs = {
            "model": [model],
            "examples": [examples],
            "model_blessing": [
                blessing(standard_artifacts.ModelBlessing, tmp_path / "m", model_blessed, "poor")
            ],
            "infra_blessing": [
                blessing(standard_artifacts.InfraBlessing, tmp_path / "i", infra_blessed, "deaf")
            ],
        }
        evaluation = make_artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation")
        (tmp_path / "evaluation").mkdir(exist_ok=True)
        Evaluation(Slice("overall", {"accuracy": 0.9})).write(tmp_path / "evaluation")
        inputs["evaluation"] = [evaluation]
        pushed = make_artifact(standard_artifacts.PushedModel, tmp_path / "pushed")
        config = PushConfig(destination=str(destination), model_name="brightness")
        context = pusher.Executor.Context(pipeline_run_id="20260101-120000")
        pusher.Executor(context).Do(
            inputs,
            {"pushed_model": [pushed]},
            {"push": config.model_dump_json(), "pipeline": "mine"},
        )
        return pushed

    return run


def test_a_blessed_model_is_pushed_with_warm_up_requests_then_unchanged(push, tmp_path, model):
    first = push()
    version = first.get_int_custom_property("pushed_version")
    assert first.get_string_custom_property("push_state") == "pushed"
    assert first.get_int_custom_property("pushed") == 1
    path = tmp_path / "serving" / str(version)
    assert first.get_string_custom_property("pushed_destination") == str(path)
    assert model_digest(path) == model_digest(serving_check.serving_model([model]))
    records = tf.data.TFRecordDataset(str(path / "assets.extra" / "tf_serving_warmup_requests"))
    sizes = []
    for record in records.as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "brightness"
        sizes.append(len(tf.make_ndarray(request.inputs["image_bytes"])))
    assert sizes == [1, 8]
    assert json.loads((path / "assets.extra" / "darkroom.json").read_text()) == {
        "recipe": "mine",
        "run": "20260101-120000",
        "metrics": {"accuracy": 0.9},
        "digest": model_digest(path),
    }
    second = push()
    assert second.get_string_custom_property("push_state") == "unchanged"
    assert second.get_int_custom_property("pushed_version") == version
    assert second.get_int_custom_property("pushed") == 0


def test_a_withdrawn_model_is_not_pushed_again_and_the_one_before_is_the_baseline(
    push, tmp_path, model
):
    serving = tmp_path / "serving"
    before = push().get_int_custom_property("pushed_version")
    # Another model under the first number; the candidate is then pushed as the second.
    (serving / str(before) / "saved_model.pb").write_bytes(b"another graph")
    version = push().get_int_custom_property("pushed_version")
    (serving / str(version)).rename(serving / f".{version}.withdrawn")
    for _ in range(2):
        held = push()
        assert held.get_string_custom_property("push_state") == "withdrawn"
        assert held.get_int_custom_property("pushed") == 0
        assert held.get_int_custom_property("pushed_version") == before
        reason = held.get_string_custom_property("reason")
        assert f"version {version}, withdrawn" in reason
        assert f"{serving}/.withdrawn/{version}" in reason
    baseline = run_baseline(tmp_path / "baseline", serving)
    assert baseline.get_int_custom_property("served_version") == before
    shutil.rmtree(serving / f".{version}.withdrawn")
    assert push().get_string_custom_property("push_state") == "withdrawn"
    (serving / ".withdrawn" / str(version)).unlink()
    assert push().get_string_custom_property("push_state") == "pushed"


@pytest.mark.parametrize(
    ("blessed", "reason"),
    [((0, 1), "Evaluator: poor"), ((1, 0), "ServingCheck: deaf"), ((0, 0), "poor; ServingCheck")],
)
def test_both_blessings_are_needed(push, tmp_path, blessed, reason):
    pushed = push(*blessed)
    assert pushed.get_string_custom_property("push_state") == "not_blessed"
    assert reason in pushed.get_string_custom_property("reason")
    assert not (tmp_path / "serving").exists()


def run_baseline(folder, destination):
    artifact = make_artifact(standard_artifacts.Model, folder)
    baseline_model.Executor().Do({}, {"model": [artifact]}, {"destination": str(destination)})
    return artifact


def test_the_baseline_is_a_copy_of_what_is_served_or_empty(push, tmp_path, model):
    empty = run_baseline(tmp_path / "empty", tmp_path / "serving")
    assert empty.get_int_custom_property("served_version") == 0
    assert not (tmp_path / "empty" / "Format-Serving").exists()
    assert served_version(str(tmp_path / "serving")) == "none"
    push()
    copy = run_baseline(tmp_path / "copy", tmp_path / "serving")
    assert copy.get_int_custom_property("served_version") > 0
    assert not (tmp_path / "copy" / "Format-Serving" / "assets.extra").exists()
    own = model_digest(serving_check.serving_model([model]))
    assert model_digest(tmp_path / "copy" / "Format-Serving") == own
    assert served_version(str(tmp_path / "serving")).endswith(own)


def test_an_object_store_is_pushed_to_and_read_from_like_a_folder(push, bucket, tmp_path, model):
    uri = "s3://bucket/models/brightness"
    first = push(destination=uri)
    version = first.get_int_custom_property("pushed_version")
    assert first.get_string_custom_property("push_state") == "pushed"
    assert first.get_string_custom_property("pushed_destination") == f"{uri}/{version}"
    stored = bucket.objects("bucket")
    assert f"models/brightness/{version}/assets.extra/tf_serving_warmup_requests" in stored
    second = push(destination=uri)
    assert second.get_string_custom_property("push_state") == "unchanged"
    assert bucket.objects("bucket") == stored
    copy = run_baseline(tmp_path / "copy", uri)
    assert copy.get_int_custom_property("served_version") == version
    own = model_digest(serving_check.serving_model([model]))
    assert model_digest(tmp_path / "copy" / "Format-Serving") == own
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["Format-Serving"]
    assert tf.saved_model.load(str(tmp_path / "copy" / "Format-Serving"))
    assert served_version(uri) == f"{version}:{own}"


def test_a_model_that_serves_as_it_computes_is_blessed(tmp_path, model, examples):
    infra = make_artifact(standard_artifacts.InfraBlessing, tmp_path / "blessing")
    serving_check.Executor().Do(
        {"model": [model], "examples": [examples]}, {"blessing": [infra]}, {}
    )
    assert infra.get_string_custom_property("reason") == ""
    assert infra.get_int_custom_property("blessed") == 1


def test_a_folder_that_is_no_model_is_not_blessed(tmp_path, examples):
    broken = tmp_path / "model" / "Format-Serving"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"not a graph")
    model = make_artifact(standard_artifacts.Model, tmp_path / "model")
    infra = make_artifact(standard_artifacts.InfraBlessing, tmp_path / "blessing")
    serving_check.Executor().Do(
        {"model": [model], "examples": [examples]}, {"blessing": [infra]}, {}
    )
    assert infra.get_int_custom_property("blessed") == 0
    assert infra.get_string_custom_property("reason")
    assert "\n" not in infra.get_string_custom_property("reason")


def prediction(dark, label="dark", valid=True):
    return Prediction(label, dark, {"dark": dark, "bright": 1 - dark}, valid)


@pytest.mark.parametrize(
    ("served", "difference"),
    [
        ([prediction(0.9)], ""),
        ([prediction(0.90001)], ""),
        ([prediction(0.8)], "probabilities"),
        ([prediction(float("nan"))], "probabilities"),
        ([prediction(0.9, valid=False)], "image 0"),
        ([prediction(0.9, label="bright")], "'bright', not 'dark'"),
        ([], "0 answers for 1"),
    ],
)
def test_differences_are_named(served, difference):
    found = serving_check.compare([prediction(0.9)], served)
    assert difference in found
    assert bool(found) == bool(difference)


def test_the_push_config_survives_json():
    config = PushConfig(destination="models", warmup_batch_sizes=(1, 4))
    assert PushConfig.model_validate_json(config.model_dump_json()) == config
    assert json.loads(config.model_dump_json())["warmup_batch_sizes"] == [1, 4]
