"""What a running server tells in its request log and its access log."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time

import grpc
import numpy as np
import pytest

from darkroom.serving.model_server import StartError
from darkroom.serving.protos.tensors import to_array
from darkroom.serving.warmup import WARMUP_FILE
from darkroom.tests.serving.operations import calculator
from darkroom.tests.serving.operations.calculator import MODEL
from darkroom.tests.serving.operations.record_logs import read_logs
from darkroom.tests.serving.operations.running_servers import (
    PREDICT,
    SERVING,
    Caller,
    create_server,
    reload,
    wait_until_logged,
    write_config,
    write_logging,
)


def test_requests_that_are_ok_are_logged_as_the_messages_that_they_mean(caller, folder):
    wait_until_logged(caller, 8)
    logs = read_logs(folder / "log")
    kinds = [log.WhichOneof("log_type") for log in logs]
    assert kinds == [
        "predict_log", "predict_log", "classify_log", "regress_log",
        "predict_log", "classify_log", "regress_log", "multi_inference_log",
    ]  # fmt: skip
    assert {log.log_metadata.model_spec.version.value for log in logs} == {1}
    np.testing.assert_array_equal(to_array(logs[0].predict_log.request.inputs["x"]), [1, 2, 3])
    np.testing.assert_array_equal(to_array(logs[0].predict_log.response.outputs["y"]), [2, 4, 6])
    assert logs[3].regress_log.request == calculator.create_regress(6.0, 7.0)
    assert [r.value for r in logs[3].regress_log.response.result.regressions] == [12, 14]
    assert logs[4].predict_log.request == calculator.create_predict(8.0)
    assert logs[7].multi_inference_log.request == calculator.create_multi_inference(11.0)


def test_log_file_warms_the_next_version_up(caller, folder):
    wait_until_logged(caller, 8)
    (log,) = folder.glob("log-*.tfrecord")
    shutil.copytree(folder / "model" / "1", folder / "next")
    (folder / "next" / WARMUP_FILE).parent.mkdir()
    shutil.copy(log, folder / "next" / WARMUP_FILE)
    before = caller.read_metrics()
    (folder / "next").rename(folder / "model" / "2")
    labels = f'model_path="{folder}/model/2",status="OK"'
    assert caller.wait_for_metric(f"{SERVING}model_warmup_records_read", labels) == 8
    assert caller.read_metrics()[f"{SERVING}model_warmup_latency_count"] == {labels: 1}
    after = caller.read_metrics()
    for name in ("request_count", "runtime_latency_count", "request_log_count"):
        assert after[SERVING + name] == before[SERVING + name]


def test_request_log_follows_the_configuration_and_a_bad_one_is_refused(folder):
    with contextlib.ExitStack() as stack:
        caller = Caller(stack.enter_context(create_server(folder)), stack)
        caller.post(PREDICT, '{"instances": [1]}')
        reload(caller, write_config(folder))
        caller.post(PREDICT, '{"instances": [2]}')
        reload(caller, write_config(folder, write_logging(folder / "second")))
        caller.post(PREDICT, '{"instances": [3]}')
        with pytest.raises(grpc.RpcError) as refusal:
            reload(caller, write_config(folder, write_logging(folder / "third", kind="s3")))
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "log_collector_config.type 's3'; use \"tfrecord\"" in refusal.value.details()
        caller.post(PREDICT, '{"instances": [4]}')
        wait_until_logged(caller, 3)
    logs = read_logs(folder / "second")
    assert [to_array(log.predict_log.request.inputs["x"]).tolist() for log in logs] == [[3], [4]]
    assert not list(folder.glob("third*"))


def test_grpc_calls_are_in_the_access_log_with_the_callers_name_for_them(folder, capsys):
    with contextlib.ExitStack() as stack:
        caller = Caller(stack.enter_context(create_server(folder, access_log=True)), stack)
        request = calculator.create_predict(1.0)
        caller.predictions.Predict(request, timeout=60, metadata=[("x-request-id", "abc")])
        request.model_spec.name = "other"
        caller.fail(caller.predictions.Predict, request)
        version = caller.server.list_statuses()[0].version
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    good, bad = map(json.loads, lines)
    assert good["entrypoint"] == "GRPC" and good["api"] == "Predict" and good["code"] == "OK"
    assert good["model"] == MODEL and good["version"] == version and good["request_id"] == "abc"
    assert good["signature"] == "serving_default" and good["response_bytes"] > 0
    assert good["request_bytes"] == calculator.create_predict(1.0).ByteSize()
    assert "127.0.0.1" in good["peer"]
    assert bad["model"] == "other" and bad["code"] == "NOT_FOUND" and bad["response_bytes"] == 0
    assert "version" not in bad and "request_id" not in bad


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "kafka"}, "log_collector_config.type 'kafka'"),
        ({"rate": 2}, "sampling_config.sampling_rate 2.0"),
    ],
)
def test_bad_logging_configuration_is_refused_at_the_start(folder, tmp_path, changes, words):
    file = tmp_path / "models.config"
    file.write_text(write_config(folder, write_logging(tmp_path / "log", **changes)))
    with pytest.raises(StartError) as refusal:
        create_server(folder, model_config_file=file).start()
    assert words in str(refusal.value) and str(file) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.e2e
def test_killed_server_leaves_a_readable_log_and_its_access_log(folder, tmp_path):
    shutil.copytree(folder / "model" / "1", tmp_path / "model" / "1")
    config = tmp_path / "models.config"
    config.write_text(write_config(tmp_path, write_logging(tmp_path / "log")))
    command = [
        sys.executable, "-m", "darkroom.serving.model_server", f"--model_config_file={config}",
        "--port=0", "--rest_api_port=0", f"--port_file={tmp_path / 'ports'}", "--access_log",
        f"--monitoring_config_file={folder / 'monitoring.config'}",
    ]  # fmt: skip
    with (
        (tmp_path / "errors").open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors) as process,
        contextlib.ExitStack() as stack,
    ):
        try:
            ports = wait_for_ports(tmp_path / "ports", process)
            caller = Caller(Ports(**ports), stack)
            for number in range(20):
                caller.http.post(
                    PREDICT, json={"instances": [number]}, headers={"x-request-id": str(number)}
                )
            wait_until_logged(caller, 20)
        finally:
            process.send_signal(signal.SIGKILL)
    values = [to_array(log.predict_log.request.inputs["x"]) for log in read_logs(tmp_path / "log")]
    assert values == list(range(20))
    lines = (tmp_path / "errors").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    predictions = [entry for entry in entries if entry.get("api") == "Predict"]
    assert [entry["request_id"] for entry in predictions] == [str(n) for n in range(20)]
    for entry in predictions:
        assert entry["model"] == MODEL and entry["version"] == 1 and entry["code"] == "OK"
        assert entry["request_bytes"] > 0 and entry["response_bytes"] > 0
        assert entry["peer"].startswith("127.0.0.1:")


class Ports:
    def __init__(self, rest, grpc):
        self.rest_port, self.grpc_port = rest, grpc


def wait_for_ports(file, process):
    deadline = time.monotonic() + 120
    while not file.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    return json.loads(file.read_text())
