"""Warm-up requests are replayed before a version is served."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from darkroom.serving.model_server import ModelServer, ServerConfig
from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError, Unimplemented
from darkroom.serving.model_server.servables.saved_model import SavedModel
from darkroom.serving.model_server.servables.warmup import MAX_RECORDS, warm_up
from darkroom.serving.warmup import WARMUP_FILE, write_warmup_requests
from darkroom.tests.serving.saved_models import save_constant, save_examples, save_zoo


@pytest.fixture
def version_path(tmp_path):
    path = tmp_path / "model" / "1"
    save_constant(path, 1)
    return path


def predict_log(input_name="x"):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    # The model's name is not looked at: a model may be served by another one.
    request.model_spec.name = "whatever"
    request.inputs[input_name].CopyFrom(tf.make_tensor_proto([1.0, 2.0]))
    return log.SerializeToString()


def write_requests(version_path, records):
    path = version_path / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


class Recorder:
    """A real model that notes what it is asked."""

    def __init__(self, path):
        self._servable = SavedModel(path)
        self.signature_defs = self._servable.signature_defs
        self.asked = []

    def run(self, signature_name, inputs):
        self.asked.append((signature_name, {name: a.tolist() for name, a in inputs.items()}))
        return self._servable.run(signature_name, inputs)


def test_requests_are_replayed(version_path):
    # A log without a request is none to replay, as in TensorFlow Serving.
    write_requests(version_path, [predict_log(), b"", predict_log()])
    servable = Recorder(version_path)
    assert warm_up(servable, version_path) == 3
    assert servable.asked == [("serving_default", {"x": [1.0, 2.0]})] * 2


@pytest.mark.parametrize("iterations", [1, 3])
def test_each_request_is_replayed_as_often_as_is_asked_for(version_path, iterations):
    write_requests(version_path, [predict_log(), predict_log()])
    servable = Recorder(version_path)
    assert warm_up(servable, version_path, iterations) == 2
    assert len(servable.asked) == 2 * iterations


def example_logs():
    """One log for each of the APIs that take examples, with one example each."""
    logs = [prediction_log_pb2.PredictionLog() for _ in range(3)]
    classify, regress = logs[0].classify_log.request, logs[1].regress_log.request
    multi_inference = logs[2].multi_inference_log.request
    task = multi_inference.tasks.add(method_name="tensorflow/serving/regress")
    for spec, signature in (
        (classify.model_spec, "classify_objects"),
        (regress.model_spec, "regress_sum"),
        (task.model_spec, "regress_sum"),
    ):
        spec.name, spec.signature_name = "whatever", signature
    for request in (classify, regress, multi_inference):
        features = request.input.example_list.examples.add().features
        features.feature["image"].bytes_list.value.append(b"abc")
    return [log.SerializeToString() for log in logs]


@pytest.fixture
def examples_path(tmp_path):
    save_examples(tmp_path / "1")
    write_requests(tmp_path / "1", example_logs())
    return tmp_path / "1"


def test_requests_of_every_api_are_replayed(examples_path):
    servable = Recorder(examples_path)
    assert warm_up(servable, examples_path) == 3
    assert [name for name, _ in servable.asked] == [
        "classify_objects", "regress_sum", "regress_sum",
    ]  # fmt: skip


def test_method_names_are_checked_where_that_is_asked_for(examples_path):
    with pytest.raises(InvalidArgument, match="Expected classification signature method_name"):
        warm_up(Recorder(examples_path), examples_path, check_method_names=True)


@pytest.mark.parametrize(("field", "number"), [("session_run_log", 5), ("predict_streamed_log", 7)])
def test_kind_that_cannot_be_replayed_fails_the_version(version_path, field, number):
    log = prediction_log_pb2.PredictionLog()
    getattr(log, field).SetInParent()
    write_requests(version_path, [log.SerializeToString()])
    with pytest.raises(Unimplemented, match=f"Unsupported log_type for warmup: {number}"):
        warm_up(Recorder(version_path), version_path)


def test_requests_that_the_pipeline_writes_are_replayed(tmp_path):
    save_zoo(tmp_path)
    write_warmup_requests(tmp_path, "digits", images=[b"a", b"b"], batch_sizes=[1, 3])
    servable = Recorder(tmp_path)
    assert warm_up(servable, tmp_path) == 2
    assert [inputs["image_bytes"] for _, inputs in servable.asked] == [[b"a"], [b"a", b"b", b"a"]]


def test_model_without_requests(version_path):
    assert warm_up(Recorder(version_path), version_path) == 0


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([b"\xff\xff"], "Failed to parse warmup record 1"),
        ([predict_log("q")], "Signature input alias: x(feed name: serving_default_x:0) not found"),
        ([predict_log()] * (MAX_RECORDS + 1), "Number of warmup records exceeds the maximum"),
    ],
)
@pytest.mark.parametrize("enabled", [True, False])
def test_failing_request_fails_the_version(version_path, records, message, enabled):
    write_requests(version_path, records)
    config = ServerConfig(
        model_base_path=version_path.parent,
        enable_model_warmup=enabled,
        max_num_load_retries=0,
        file_system_poll_wait_seconds=0,
        rest_port=None,
    )
    with ModelServer(config) as server:
        (status,) = server.list_statuses()
    assert status.state.name == ("END" if enabled else "AVAILABLE")
    assert status.message.startswith(message if enabled else "")


def test_file_of_another_format_fails_the_version(version_path):
    path = version_path / WARMUP_FILE
    path.parent.mkdir()
    path.write_bytes(b"no TFRecord at all")
    with pytest.raises(StatusError, match="verify your warmup data is in TFRecord") as caught:
        warm_up(Recorder(version_path), version_path)
    assert caught.value.code is Code.DATA_LOSS
