"""What nobody foresaw is in the log with its trace, once; what clients do wrong is not."""

import httpx
import pytest
import tensorflow as tf

from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError, to_status_error
from darkroom.serving.model_server.failures import MAX_CAUSES, QUIET_SECONDS, FailureLog
from darkroom.serving.model_server.models.versions import TFLITE_FILE
from darkroom.tests.serving.test_process import run_server, wait_for_file


def save_three_columns(folder):
    """A TFLite model that fails on rows of five numbers."""

    class Three(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([2, 3], tf.float32, "x")])
        def call(self, x):
            return x + tf.constant([[1.0, 2.0, 3.0]])

    module = Three()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.call.get_concrete_function()], module
    )
    folder.mkdir(parents=True)
    (folder / TFLITE_FILE).write_bytes(converter.convert())


def fail(message="unforeseen"):
    try:
        raise RuntimeError(message)
    except RuntimeError as error:
        return error


def fail_elsewhere():
    try:
        raise RuntimeError("unforeseen")
    except RuntimeError as error:
        return error


class TestLog:
    @pytest.fixture
    def now(self):
        return [0.0]

    @pytest.fixture
    def log(self, now):
        return FailureLog(clock=lambda: now[0])

    def test_one_of_a_cause_a_minute_and_how_many_were_left_out(self, log, now, caplog):
        for number in range(5):
            log.report("a request failed", fail(f"unforeseen {number}"))
        (record,) = caplog.records
        assert (record.levelname, record.message) == ("ERROR", "a request failed")
        assert "RuntimeError: unforeseen 0" in caplog.text and "in fail" in caplog.text
        now[0] = QUIET_SECONDS
        log.report("a request failed", fail())
        assert caplog.messages[1:] == ["a request failed (4 more of this cause were left out)"]

    def test_causes_are_told_apart_by_place_kind_and_op(self, log, caplog):
        for error in (
            fail(), fail_elsewhere(), StatusError(Code.INTERNAL, "node a"),
            StatusError(Code.INTERNAL, "node b"),
        ):  # fmt: skip
            log.report("a request failed", error)
        assert len(caplog.records) == 4

    def test_causes_are_bounded(self, log):
        for number in range(2 * MAX_CAUSES):
            log.report("x" * number, fail())
        assert len(log._causes) == MAX_CAUSES


class TestStatus:
    @pytest.fixture(autouse=True)
    def _fresh(self, monkeypatch):
        monkeypatch.setattr(
            "darkroom.serving.model_server.errors.report_failure", FailureLog().report
        )

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (RuntimeError("x"), Code.INTERNAL),
            (tf.errors.InternalError(None, None, "x"), Code.INTERNAL),
            (tf.errors.UnknownError(None, None, "x"), Code.UNKNOWN),
            (StatusError(Code.INTERNAL, "x"), Code.INTERNAL),
        ],
    )
    def test_what_is_no_clients_fault_is_logged_once(self, error, code, caplog):
        status = to_status_error(error)
        assert status.code is code
        to_status_error(status)
        assert [record.levelname for record in caplog.records] == ["ERROR"]

    @pytest.mark.parametrize(
        "error",
        [
            InvalidArgument("x"), tf.errors.InvalidArgumentError(None, None, "x"),
            tf.errors.ResourceExhaustedError(None, None, "x"),
        ],
    )  # fmt: skip
    def test_what_clients_do_wrong_is_not(self, error, caplog):
        to_status_error(error)
        assert caplog.records == []


@pytest.mark.parametrize("flags", [(), ("--enable_batching",)])
def test_running_server_shows_the_trace_once(tmp_path, flags):
    save_three_columns(tmp_path / "model" / "1")
    with run_server(
        tmp_path, f"--model_base_path={tmp_path / 'model'}", "--model_name=m",
        "--prefer_tflite_model", *flags,
    ) as process:  # fmt: skip
        ports = wait_for_file(tmp_path / "ports", process)
        with httpx.Client(base_url=f"http://127.0.0.1:{ports['rest']}", trust_env=False) as client:
            for _ in range(3):
                answer = client.post("/v1/models/m:predict", json={"instances": [[0.0] * 5]})
                assert answer.status_code == 500
            assert client.post("/v1/models/m:predict", content="{").status_code == 400
        process.terminate()
        _, log = process.communicate(timeout=60)
    assert log.count("Traceback (most recent call last)") == 1
    assert log.count(" E darkroom.serving.model_server.failures: ") == 1
    assert "failed: INTERNAL" in log and "in _call" in log
