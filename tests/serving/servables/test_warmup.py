"""Warm-up requests are replayed before a version is served."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, prediction_log_pb2

from serving.model_server import ModelServer, ServerConfig
from serving.model_server.servables.saved_model import SavedModel
from serving.model_server.servables.warmup import MAX_RECORDS, warm_up
from serving.warmup import WARMUP_FILE, write_warmup_requests
from tests.serving.saved_models import save_constant, save_zoo


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
    other_kind = prediction_log_pb2.PredictionLog()
    other_kind.classify_log.request.CopyFrom(classification_pb2.ClassificationRequest())
    write_requests(version_path, [predict_log(), other_kind.SerializeToString(), predict_log()])
    servable = Recorder(version_path)
    assert warm_up(servable, version_path) == 2
    assert servable.asked == [("serving_default", {"x": [1.0, 2.0]})] * 2


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
        ([predict_log("q")], "input tensor alias not found in signature: q"),
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
    with pytest.raises(tf.errors.DataLossError):
        warm_up(Recorder(version_path), version_path)
