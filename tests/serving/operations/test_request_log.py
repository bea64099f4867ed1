"""Logged requests are TFRecord files that TensorFlow reads, in the format of warm-up requests."""

import os
import stat
import threading
import time
from pathlib import Path

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
from darkroom.serving.model_server.errors import Code, InvalidArgument
from darkroom.serving.model_server.operations import record_files, request_log
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.record_files import RecordFiles, Retention
from darkroom.serving.model_server.operations.request_log import (
    RequestLog,
    check_logging_config,
)
from darkroom.serving.protos.tensors import to_array
from darkroom.tests.serving.operations.record_logs import read_logs


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
    log = RequestLog({"digits": create_config(prefix)}.get, metrics, tags=frozenset({"b", "a"}))
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
    log = RequestLog({"digits": create_config(prefix)}.get)
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
    log = RequestLog({"digits": create_config(prefix)}.get)
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
    log = RequestLog({"digits": create_config(prefix)}.get)
    request = get_model_status_pb2.GetModelStatusRequest()
    log.log_messages("digits", request, get_model_status_pb2.GetModelStatusResponse(), 100)
    log.stop()
    assert not prefix.parent.exists()


def test_messages_of_the_private_pool_are_logged_as_well(prefix):
    log = RequestLog({"digits": create_config(prefix)}.get)
    messages = [
        protos.message_class(message.DESCRIPTOR.full_name).FromString(message.SerializeToString())
        for message in create_predict(5.0)
    ]
    log.log_messages("digits", *messages, 100)
    log.stop()
    assert read_values(prefix) == [5.0]


def test_json_requests_are_logged_as_the_messages_that_mean_the_same(prefix):
    log = RequestLog({"digits": create_config(prefix)}.get)
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
    log = RequestLog({"digits": create_config(prefix)}.get)
    log.log_messages("other", *create_predict(), 100)
    log.log_predict("other", 1, "x", {}, {}, 0)
    log.stop()
    assert not prefix.parent.exists()


def test_share_of_requests_is_the_sampling_rate(prefix, monkeypatch):
    monkeypatch.setattr(request_log.random, "random", iter(np.arange(1000) / 1000).__next__)
    log = RequestLog({"digits": create_config(prefix, 0.25)}.get)
    for number in range(1000):
        log.log_messages("digits", *create_predict(number), 100)
    log.stop()
    assert read_values(prefix) == list(range(250))


def test_configuration_may_change_at_any_request(tmp_path):
    configs = {}
    log = RequestLog(configs.get)
    for number, prefix in enumerate(["a", None, "b", "a"]):
        configs["digits"] = None if prefix is None else create_config(tmp_path / prefix)
        log.log_messages("digits", *create_predict(number), 100)
    log.stop()
    assert read_values(tmp_path / "a") == [0, 3]
    assert read_values(tmp_path / "b") == [2]


def test_models_with_one_prefix_share_its_file(prefix):
    config = create_config(prefix)
    log = RequestLog({"a": config, "b": config}.get)
    log.log_messages("a", *create_predict(1), 100)
    log.log_messages("b", *create_predict(2), 100)
    log.stop()
    assert read_values(prefix) == [1, 2]
    assert len(list(prefix.parent.iterdir())) == 1


def test_records_are_on_the_disk_while_the_server_goes_on(prefix):
    log = RequestLog({"digits": create_config(prefix)}.get)
    log.log_messages("digits", *create_predict(3), 100)
    deadline = time.monotonic() + 30
    while not read_values(prefix) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert read_values(prefix) == [3]
    log.stop()


def test_torn_last_record_spoils_none_before_it(prefix):
    log = RequestLog({"digits": create_config(prefix)}.get)
    for number in range(3):
        log.log_messages("digits", *create_predict(number), 100)
    log.stop()
    (file,) = prefix.parent.iterdir()
    os.truncate(file, file.stat().st_size - 5)
    assert read_values(prefix) == [0, 1]


class StuckFiles(RecordFiles):
    def __init__(self):
        super().__init__()
        self.released = threading.Event()

    def write(self, prefix, record):
        assert self.released.wait(30)
        return super().write(prefix, record)


def test_slow_disk_holds_no_request_up_and_what_has_no_room_is_counted(
    prefix, metrics, monkeypatch
):
    monkeypatch.setattr(request_log, "MAX_WAITING_BYTES", 50_000)
    files = StuckFiles()
    log = RequestLog({"digits": create_config(prefix)}.get, metrics, files=files)
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
    log = RequestLog({"digits": create_config(prefix)}.get, metrics)
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
    log = RequestLog({"digits": config}.get, metrics)
    log.log_messages("digits", *create_predict(), 100)
    log.stop()
    assert "request_log_count{" not in metrics.render().decode()


class TestFiles:
    def write(self, files, prefix, *records):
        codes = [files.write(str(prefix), record) for record in records]
        files.flush()
        return codes

    def count_records(self, prefix):
        files = sorted(prefix.parent.glob(f"{prefix.name}-*.tfrecord"))
        return [len(list(tf.data.TFRecordDataset(str(file)))) for file in files]

    def test_new_file_begins_after_so_many_records(self, prefix):
        files = RecordFiles(max_file_records=2)
        self.write(files, prefix, *[b"x"] * 5)
        files.close()
        assert self.count_records(prefix) == [2, 2, 1]

    def test_new_file_begins_after_so_many_bytes(self, prefix):
        files = RecordFiles(max_file_bytes=1000)
        self.write(files, prefix, b"x" * 400, b"x" * 600, b"x", b"x" * 5000, b"x")
        files.close()
        assert self.count_records(prefix) == [2, 2, 1]

    def test_files_hold_no_more_than_a_warm_up_takes(self):
        from darkroom.serving.model_server.servables.warmup import MAX_RECORDS

        assert record_files.MAX_FILE_RECORDS == MAX_RECORDS

    def test_restarted_server_overwrites_nothing(self, prefix):
        for _ in range(3):
            files = RecordFiles()
            self.write(files, prefix, b"x")
            files.close()
        assert self.count_records(prefix) == [1, 1, 1]

    def test_failure_is_reported_once_and_tried_again_later(self, tmp_path, caplog):
        now = [0.0]
        files = RecordFiles(clock=lambda: now[0])
        blocked = tmp_path / "blocked"
        blocked.write_text("a file where a folder is needed")
        first, *others = self.write(files, blocked / "digits", b"1", b"2", b"3")
        assert first is not Code.OK
        assert others == [Code.UNAVAILABLE] * 2
        assert self.write(files, tmp_path / "other", b"1") == [Code.OK]
        (message,) = [record.message for record in caplog.records]
        assert "\n" not in message and f"{blocked}/digits-*.tfrecord" in message
        blocked.unlink()
        now[0] = record_files.RETRY_SECONDS
        assert self.write(files, blocked / "digits", b"4") == [Code.OK]
        files.close()
        assert self.count_records(blocked / "digits") == [1]

    def test_open_files_are_bounded(self, tmp_path, monkeypatch):
        monkeypatch.setattr(record_files, "MAX_OPEN_FILES", 3)
        files = RecordFiles()
        for name in "abcdefa":
            self.write(files, tmp_path / name, b"x")
        assert len(files._open) == 3
        files.close()
        assert self.count_records(tmp_path / "a") == [1, 1]

    def open_full(self, files, prefix):
        """Every write to this device fails as on a full disk."""
        file = files._open[str(prefix)] = record_files._RecordFile(str(prefix))
        file.writer = tf.io.TFRecordWriter("/dev/full")

    def test_full_disk_is_reported(self, prefix, caplog):
        files = RecordFiles()
        self.open_full(files, prefix)
        assert self.write(files, prefix, b"x" * 100_000) == [Code.RESOURCE_EXHAUSTED]
        assert "No space left" in caplog.text

    def test_records_that_are_lost_when_they_are_flushed_are_not_counted_as_written(
        self, prefix, metrics
    ):
        files = RecordFiles()
        self.open_full(files, prefix)
        log = RequestLog({"digits": create_config(prefix)}.get, metrics, files=files)
        log.log_messages("digits", *create_predict(), 100)
        log.stop()
        text = metrics.render().decode()
        assert 'request_log_count{model_name="digits",status_code="RESOURCE_EXHAUSTED"} 1\n' in text
        assert 'status_code="OK"' not in text

    def test_file_that_cannot_be_closed_is_reported(self, prefix, caplog):
        files = RecordFiles()
        self.open_full(files, prefix)
        files.write(str(prefix), b"x")
        files.close()
        assert "cannot close" in caplog.text

    def test_nobody_else_may_read_what_is_logged(self, prefix):
        files = RecordFiles()
        self.write(files, prefix, b"x")
        (file,) = prefix.parent.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(prefix.parent.stat().st_mode) == 0o700
        files.close()

    def test_oldest_files_are_removed_while_all_are_too_large(self, prefix):
        # A record takes 16 bytes more on the disk.
        files = RecordFiles(Retention(max_bytes=10_000), max_file_records=2)
        numbers = [bytes([number]) * 984 for number in range(16)]
        self.write(files, prefix, *numbers)
        assert sum(file.stat().st_size for file in prefix.parent.iterdir()) <= 10_000
        files.close()
        kept = [r.numpy() for f in sorted(prefix.parent.iterdir()) for r in
                tf.data.TFRecordDataset(str(f))]  # fmt: skip
        assert len(kept) >= 4 and kept == numbers[-len(kept) :]

    def test_old_files_are_removed_and_nothing_but_the_logs_own(self, prefix):
        prefix.parent.mkdir()
        old = "20200101T000000.000000Z-7.tfrecord"
        others = {
            f"digits-v2-{old}", f"other-{old}", f"digits-{old}.gz", "digits-notes.tfrecord",
        }  # fmt: skip
        for name in (*others, f"digits-{old}"):
            (prefix.parent / name).touch()
        files = RecordFiles(Retention(max_bytes=1, max_days=30))
        self.write(files, prefix, b"x")
        written = files._open[str(prefix)].path
        assert {f.name for f in prefix.parent.iterdir()} == {*others, Path(written).name}
        files.close()

    def test_files_become_too_old_while_nothing_is_logged(self, prefix):
        now = [0.0]
        files = RecordFiles(Retention(max_days=1e-6), clock=lambda: now[0])
        self.write(files, prefix, b"x")
        assert len(list(prefix.parent.iterdir())) == 1
        time.sleep(0.1)
        now[0] = record_files.REMOVE_SECONDS
        files.flush()
        assert list(prefix.parent.iterdir()) == []
