"""Logged requests are TFRecord files that TensorFlow reads, in the format of warm-up requests."""

import os
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from darkroom.serving import protos
from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.operations import request_log
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.record_files import RecordFiles, Retention
from darkroom.serving.model_server.operations.request_log import RequestLog, check_logging_config
from darkroom.serving.protos.tensors import to_array
from darkroom.tests.serving.operations.record_logs import open_full, read_logs


def create_config(prefix="/tmp/x", rate=1.0, kind=""):
    message = protos.message_class("tensorflow.serving.LoggingConfig")()
    message.log_collector_config.type = kind
    message.log_collector_config.filename_prefix = str(prefix)
    message.sampling_config.sampling_rate = rate
    return message


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "logs" / "digits"


def create_predict(number=1.0):
    request, response = predict_pb2.PredictRequest(), predict_pb2.PredictResponse()
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([number]))
    response.outputs["y"].CopyFrom(tf.make_tensor_proto([number + 1]))
    request.model_spec.name = "digits"
    fill_spec(response.model_spec)
    return request, response


def fill_spec(spec):
    spec.name, spec.signature_name, spec.version.value = "digits", "serving_default", 7


def create_log(find_config, metrics=None, tags=("serve",), files=None):
    files = files or RecordFiles(Retention())
    return RequestLog(find_config, metrics or Metrics(), tags, files)


def read_values(prefix):
    return [to_array(log.predict_log.request.inputs["x"])[0] for log in read_logs(prefix)]


class TestConfig:
    @pytest.mark.parametrize(
        "config",
        [
            protos.message_class("tensorflow.serving.LoggingConfig")(),
            create_config("", rate=0.0),
            create_config("/logs/digits", 0.25),
            create_config("/logs/digits", 0.25, "tfrecord"),
        ],
    )
    def test_what_exists_is_taken(self, config):
        check_logging_config("digits", config)

    @pytest.mark.parametrize(
        ("config", "words"),
        [
            (create_config(kind="kafka"), ("type 'kafka'", '"tfrecord"')),
            (create_config(prefix=""), ("filename_prefix",)),
            (create_config(rate=1.5), ("sampling_rate 1.5", "0 to 1")),
            (create_config(rate=-0.1), ("sampling_rate -0.1", "0 to 1")),
            (create_config(rate=float("nan")), ("sampling_rate nan", "0 to 1")),
        ],
    )
    def test_what_does_not_exist_is_refused_in_one_line(self, config, words):
        with pytest.raises(InvalidArgument) as refusal:
            check_logging_config("digits", config)
        message = refusal.value.message
        assert "\n" not in message
        assert "logging_config of model 'digits'" in message
        assert all(word in message for word in words)


def test_record_has_request_answer_and_where_they_come_from(prefix, metrics):
    before = int(time.time())
    log = create_log({"digits": create_config(prefix)}.get, metrics, tags=frozenset({"b", "a"}))
    request, response = create_predict()
    log.log_messages("digits", request, response, 100)
    log.stop()
    (entry,) = read_logs(prefix)
    assert entry.predict_log.request == request
    assert entry.predict_log.response == response
    metadata = entry.log_metadata
    assert metadata.model_spec == response.model_spec
    assert metadata.sampling_config.sampling_rate == 1.0
    assert list(metadata.saved_model_tags) == ["a", "b"]
    assert before <= metadata.timestamp_secs <= time.time()
    text = metrics.render().decode()
    assert 'request_log_count{model_name="digits",status_code="OK"} 1\n' in text


@pytest.mark.parametrize(
    ("request_class", "response_class", "field"),
    [
        (classification_pb2.ClassificationRequest, classification_pb2.ClassificationResponse,
         "classify_log"),
        (regression_pb2.RegressionRequest, regression_pb2.RegressionResponse, "regress_log"),
    ],
)  # fmt: skip
def test_examples_are_logged_by_their_kind(prefix, request_class, response_class, field):
    log = create_log({"digits": create_config(prefix)}.get)
    request, response = request_class(), response_class()
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(2.0)
    fill_spec(response.model_spec)
    log.log_messages("digits", request, response, 100)
    log.stop()
    (entry,) = read_logs(prefix)
    assert entry.WhichOneof("log_type") == field
    assert getattr(entry, field).request == request
    assert entry.log_metadata.model_spec.version.value == 7


def test_multi_inference_is_logged_with_the_model_of_its_first_task(prefix):
    log = create_log({"digits": create_config(prefix)}.get)
    request, response = (
        inference_pb2.MultiInferenceRequest(),
        inference_pb2.MultiInferenceResponse(),
    )
    request.tasks.add(method_name="tensorflow/serving/classify")
    fill_spec(response.results.add().model_spec)
    log.log_messages("digits", request, response, 100)
    log.stop()
    (entry,) = read_logs(prefix)
    assert entry.multi_inference_log.request == request
    assert entry.log_metadata.model_spec.name == "digits"


def test_messages_that_ask_no_model_are_left_out(prefix):
    log = create_log({"digits": create_config(prefix)}.get)
    request = get_model_status_pb2.GetModelStatusRequest()
    log.log_messages("digits", request, get_model_status_pb2.GetModelStatusResponse(), 100)
    log.stop()
    assert not prefix.parent.exists()


def test_messages_of_the_private_pool_are_logged_as_well(prefix):
    log = create_log({"digits": create_config(prefix)}.get)
    messages = [
        protos.message_class(message.DESCRIPTOR.full_name).FromString(message.SerializeToString())
        for message in create_predict(5.0)
    ]
    log.log_messages("digits", *messages, 100)
    log.stop()
    assert read_values(prefix) == [5.0]


def test_json_requests_are_logged_as_the_messages_that_mean_the_same(prefix):
    log = create_log({"digits": create_config(prefix)}.get)
    images = np.array([b"\xff\x00", b""], object)
    log.log_predict("digits", 7, "sign", {"image": images}, {"score": np.float32([0.5, 1])}, 100)
    log.stop()
    (entry,) = read_logs(prefix)
    predict = entry.predict_log
    assert list(to_array(predict.request.inputs["image"])) == list(images)
    assert list(to_array(predict.response.outputs["score"])) == [0.5, 1]
    assert predict.request.model_spec == text_format.Parse(
        'name: "digits" signature_name: "sign"', type(predict.request.model_spec)()
    )
    assert entry.log_metadata.model_spec == predict.response.model_spec
    assert predict.response.model_spec.version.value == 7


def test_models_without_logging_are_not_logged(prefix):
    log = create_log({"digits": create_config(prefix)}.get)
    log.log_messages("other", *create_predict(), 100)
    log.log_predict("other", 1, "x", {}, {}, 0)
    log.stop()
    assert not prefix.parent.exists()


def test_share_of_requests_is_the_sampling_rate(prefix, monkeypatch):
    draws = SimpleNamespace(random=iter(np.arange(1000) / 1000).__next__)
    monkeypatch.setattr(request_log, "random", draws)
    log = create_log({"digits": create_config(prefix, 0.25)}.get)
    for number in range(1000):
        log.log_messages("digits", *create_predict(number), 100)
    log.stop()
    assert read_values(prefix) == list(range(250))


def test_configuration_may_change_at_any_request(tmp_path):
    configs = {}
    log = create_log(configs.get)
    for number, prefix in enumerate(["a", None, "b", "a"]):
        configs["digits"] = None if prefix is None else create_config(tmp_path / prefix)
        log.log_messages("digits", *create_predict(number), 100)
    log.stop()
    assert read_values(tmp_path / "a") == [0, 3]
    assert read_values(tmp_path / "b") == [2]


def test_models_with_one_prefix_share_its_file(prefix):
    config = create_config(prefix)
    log = create_log({"a": config, "b": config}.get)
    log.log_messages("a", *create_predict(1), 100)
    log.log_messages("b", *create_predict(2), 100)
    log.stop()
    assert read_values(prefix) == [1, 2]
    assert len(list(prefix.parent.iterdir())) == 1


def test_records_are_on_the_disk_while_the_server_goes_on(prefix):
    log = create_log({"digits": create_config(prefix)}.get)
    log.log_messages("digits", *create_predict(3), 100)
    deadline = time.monotonic() + 30
    while not read_values(prefix) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert read_values(prefix) == [3]
    log.stop()


def test_torn_last_record_spoils_none_before_it(prefix):
    log = create_log({"digits": create_config(prefix)}.get)
    for number in range(3):
        log.log_messages("digits", *create_predict(number), 100)
    log.stop()
    (file,) = prefix.parent.iterdir()
    os.truncate(file, file.stat().st_size - 5)
    assert read_values(prefix) == [0, 1]


class StuckFiles(RecordFiles):
    def __init__(self):
        super().__init__(Retention())
        self.released = threading.Event()

    def write(self, prefix, record):
        assert self.released.wait(30)
        return super().write(prefix, record)


def test_slow_disk_holds_no_request_up_and_what_has_no_room_is_counted(
    prefix, metrics, monkeypatch
):
    monkeypatch.setattr(request_log, "MAX_WAITING_BYTES", 50_000)
    files = StuckFiles()
    log = create_log({"digits": create_config(prefix)}.get, metrics, files=files)
    for number in range(20):
        log.log_messages("digits", *create_predict(number), 9_000)
    files.released.set()
    log.stop()
    assert read_values(prefix) == [0, 1, 2, 3, 4]
    text = metrics.render().decode()
    assert 'request_log_count{model_name="digits",status_code="OK"} 5\n' in text
    assert 'request_log_count{model_name="digits",status_code="RESOURCE_EXHAUSTED"} 15\n' in text
    assert 'darkroom_log_dropped_total{log="request"} 15\n' in text


def test_request_that_cannot_be_logged_is_counted_and_spoils_no_other(prefix, metrics):
    log = create_log({"digits": create_config(prefix)}.get, metrics)
    log.log_predict("digits", 1, "x", {"when": np.datetime64("now")}, {}, 0)
    log.log_messages("digits", *create_predict(1), 100)
    log.stop()
    assert read_values(prefix) == [1]
    assert 'request_log_count{model_name="digits",status_code="INTERNAL"} 1\n' in (
        metrics.render().decode()
    )


@pytest.mark.parametrize(
    "config", [protos.message_class("tensorflow.serving.LoggingConfig")(), create_config(rate=0.0)]
)
def test_rate_of_nothing_logs_nothing(config, metrics):
    log = create_log({"digits": config}.get, metrics)
    log.log_messages("digits", *create_predict(), 100)
    log.stop()
    assert "request_log_count{" not in metrics.render().decode()


def test_records_that_are_lost_when_they_are_flushed_are_not_counted_as_written(prefix, metrics):
    files = RecordFiles(Retention())
    open_full(files, prefix)
    log = create_log({"digits": create_config(prefix)}.get, metrics, files=files)
    log.log_messages("digits", *create_predict(), 100)
    log.stop()
    text = metrics.render().decode()
    assert 'request_log_count{model_name="digits",status_code="RESOURCE_EXHAUSTED"} 1\n' in text
    assert 'status_code="OK"' not in text
