"""Each request is one line of JSON, whatever the request says."""

import io
import json
import threading
from datetime import datetime, timezone

import pytest

from darkroom.serving.model_server.errors import Code
from darkroom.serving.model_server.operations import access_log as module
from darkroom.serving.model_server.operations.access_log import AccessLog
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.observer import Observer
from darkroom.serving.model_server.operations.request_record import RequestRecord


def write(*records):
    stream = io.StringIO()
    log = AccessLog(Metrics(), stream)
    for record in records:
        log.write(record, 0.0123456)
    log.stop()
    return stream.getvalue()


def test_line_has_every_field():
    record = RequestRecord(
        "REST", "Predict", "digits", 3, "serving_default", Code.NOT_FOUND, 404, 12, 34,
        "127.0.0.1:5000", "abc",
    )  # fmt: skip
    before = datetime.now(timezone.utc).replace(microsecond=0)
    line = json.loads(write(record))
    time = datetime.fromisoformat(line.pop("time").replace("Z", "+00:00"))
    assert before <= time <= datetime.now(timezone.utc)
    assert line == {
        "entrypoint": "REST",
        "api": "Predict",
        "model": "digits",
        "version": 3,
        "signature": "serving_default",
        "code": "NOT_FOUND",
        "http_status": 404,
        "ms": 12.346,
        "request_bytes": 12,
        "response_bytes": 34,
        "peer": "127.0.0.1:5000",
        "request_id": "abc",
    }


def test_what_is_not_known_is_left_out():
    line = json.loads(write(RequestRecord("GRPC")))
    assert set(line) == {"time", "entrypoint", "code", "ms", "request_bytes", "response_bytes"}


@pytest.mark.parametrize("text", ['x"}\n{"forged": 1}', "a\r\nb", "\u2028", "\x1b[31m", "\ud800"])
def test_nothing_that_a_caller_chooses_can_begin_a_line(text):
    record = RequestRecord("REST", model_name=text, signature_name=text, peer=text, request_id=text)
    written = write(record)
    assert written.isascii()
    assert written.splitlines() == [written.rstrip("\n")]
    line = json.loads(written)
    assert [line[name] for name in ("model", "signature", "peer", "request_id")] == [text] * 4


def test_long_texts_are_cut():
    line = json.loads(write(RequestRecord("GRPC", model_name="m" * 10_000)))
    assert line["model"] == "m" * module.MAX_TEXT + "…"


def test_lines_come_in_the_order_of_the_requests_and_none_is_lost():
    written = write(*(RequestRecord("GRPC", request_bytes=number) for number in range(2000)))
    numbers = [json.loads(line)["request_bytes"] for line in written.splitlines()]
    assert numbers == list(range(2000))


class StuckStream(io.StringIO):
    """A pipe that nobody reads."""

    def __init__(self):
        super().__init__()
        self.released = threading.Event()

    def write(self, text):
        assert self.released.wait(30)
        return super().write(text)


def test_stream_that_nobody_reads_holds_no_request_up_and_what_has_no_room_is_counted(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    stream, metrics = StuckStream(), Metrics()
    log = AccessLog(metrics, stream)
    observer = Observer(metrics, log)
    for _ in range(100):
        record = RequestRecord("GRPC")
        observer.begin(record)
        observer.end(record)
    stream.released.set()
    log.stop()
    written = len(stream.getvalue().splitlines())
    assert 0 < written < 100
    assert f'darkroom_log_dropped_total{{log="access"}} {100 - written}\n' in metrics_text(metrics)


def test_closed_stream_is_no_reason_to_fail():
    stream, metrics = io.StringIO(), Metrics()
    stream.close()
    log = AccessLog(metrics, stream)
    log.write(RequestRecord("GRPC"), 0.001)
    log.stop()
    assert 'darkroom_log_dropped_total{log="access"} 1\n' in metrics_text(metrics)


def metrics_text(metrics):
    return metrics.render().decode()


def test_standard_error_is_the_default(capfd):
    log = AccessLog(Metrics())
    log.write(RequestRecord("GRPC", api="Predict"), 0.001)
    log.stop()
    assert json.loads(capfd.readouterr().err)["api"] == "Predict"


def test_request_after_the_stop_is_left_out():
    stream = io.StringIO()
    log = AccessLog(Metrics(), stream)
    log.stop()
    log.write(RequestRecord("GRPC"), 0.001)
    assert stream.getvalue() == ""


def test_observer_measures_and_counts_a_request_once_it_ends():
    metrics = Metrics()
    observer = Observer(metrics)
    record = RequestRecord("REST", "Predict", "digits")
    observer.begin(record)
    assert 'darkroom_requests_in_flight{entrypoint="REST"} 1\n' in metrics_text(metrics)
    observer.end(record)
    text = metrics_text(metrics)
    assert 'darkroom_requests_in_flight{entrypoint="REST"} 0\n' in text
    assert ':request_count{model_name="digits",status="OK"} 1\n' in text


def test_request_outside_the_api_is_logged_and_not_counted():
    stream, metrics = io.StringIO(), Metrics()
    log = AccessLog(metrics, stream)
    observer = Observer(metrics, log)
    record = RequestRecord("REST")
    observer.begin(record)
    observer.end(record)
    log.stop()
    assert len(stream.getvalue().splitlines()) == 1
    assert "request_count{" not in metrics_text(metrics)
