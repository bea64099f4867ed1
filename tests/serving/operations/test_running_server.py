"""A running server tells what it does: in its metrics, its request log and its access log."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time

import grpc
import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from darkroom.serving.model_server import ModelServer, ServerConfig, StartError
from darkroom.serving.protos.tensors import to_array
from darkroom.serving.protos.text_files import parse_text
from darkroom.serving.warmup import WARMUP_FILE
from darkroom.tests.serving.operations import calculator
from darkroom.tests.serving.operations.calculator import MODEL
from darkroom.tests.serving.operations.record_logs import read_logs

METRICS = "/monitoring/prometheus/metrics"
SERVING = ":tensorflow:serving:"
PREDICT = f"/v1/models/{MODEL}:predict"


def write_config(folder, logging="", name=MODEL):
    return f"""model_config_list {{ config {{
        name: "{name}" base_path: "{folder}/model" model_platform: "tensorflow" {logging}
    }} }}"""


def write_logging(prefix, rate=1.0, kind="tfrecord"):
    return f"""logging_config {{
        log_collector_config {{ type: "{kind}" filename_prefix: "{prefix}" }}
        sampling_config {{ sampling_rate: {rate} }}
    }}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("operations")
    calculator.save_calculator(folder / "model" / "1")
    (folder / "models.config").write_text(write_config(folder, write_logging(folder / "log")))
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")
    (folder / "batching.config").write_text(
        'thread_pool_name { value: "workers" } allowed_batch_sizes: 4 max_batch_size { value: 4 }'
    )
    return folder


def create_server(folder, **changes):
    options = {
        "model_config_file": folder / "models.config",
        "monitoring_config_file": folder / "monitoring.config",
        "file_system_poll_wait_seconds": 0.1,
    }
    return ModelServer(ServerConfig(**(options | changes)))


class Caller:
    """Asks one server over both protocols."""

    def __init__(self, server, stack):
        self.server = server
        url = f"http://127.0.0.1:{server.rest_port}"
        self.http = stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=60))
        address = f"127.0.0.1:{server.grpc_port}"
        channel = stack.enter_context(
            grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)])
        )
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)

    def post(self, path, body, status=200):
        response = self.http.post(path, content=body)
        assert response.status_code == status, response.text
        return response

    def fail(self, method, request):
        with pytest.raises(grpc.RpcError):
            method(request, timeout=60)

    def read_metrics(self):
        """Returns {name: {labels: value}}, names as in the text."""
        response = self.http.get(METRICS)
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert list(text_string_to_metric_families(response.text))
        values = {}
        for line in response.text.splitlines():
            if not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                name, _, labels = series.partition("{")
                values.setdefault(name, {})[labels.rstrip("}")] = float(value)
        return values

    def wait_for_metric(self, name, labels):
        deadline = time.monotonic() + 60
        while labels not in self.read_metrics().get(name, {}):
            assert time.monotonic() < deadline, self.read_metrics().get(name)
            time.sleep(0.05)
        return self.read_metrics()[name][labels]


@pytest.fixture(scope="module")
def caller(folder):
    """Has asked a known series of requests."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            create_server(
                folder, enable_batching=True, batching_parameters_file=folder / "batching.config"
            )
        )
        caller = Caller(server, stack)
        ask_all(caller)
        yield caller


def ask_all(caller):
    caller.post(PREDICT, '{"instances": [1, 2, 3]}')
    caller.post(PREDICT, '{"inputs": {"x": [4]}}')
    caller.post(PREDICT, "{", 400)
    caller.post(PREDICT, '{"signature_name": "to_number", "instances": ["no number"]}', 400)
    caller.post(f"/v1/models/{MODEL}:classify", calculator.write_examples("classify", 5.0))
    caller.post(f"/v1/models/{MODEL}:regress", calculator.write_examples("regress", 6.0, 7.0))
    caller.post("/v1/models/other:predict", '{"instances": [1]}', 404)
    assert caller.http.get(f"/v1/models/{MODEL}").status_code == 200
    assert caller.http.get(f"/v1/models/{MODEL}/metadata").status_code == 200
    assert caller.http.get("/nothing").status_code == 404
    service = caller.predictions
    service.Predict(calculator.create_predict(8.0), timeout=60)
    caller.fail(service.Predict, calculator.create_predict("x", signature="to_number", name="text"))
    service.Classify(calculator.create_classify(9.0), timeout=60)
    service.Regress(calculator.create_regress(10.0), timeout=60)
    service.MultiInference(calculator.create_multi_inference(11.0), timeout=60)
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = MODEL
    caller.models.GetModelStatus(status, timeout=60)


@pytest.fixture(scope="module")
def metrics(caller):
    return caller.read_metrics()


def test_requests_are_counted_by_model_and_status(metrics):
    assert metrics[f"{SERVING}request_count"] == {
        f'model_name="{MODEL}",status="OK"': 10,
        f'model_name="{MODEL}",status="INVALID_ARGUMENT"': 3,
        'model_name="other",status="NOT_FOUND"': 1,
    }


def test_latency_is_counted_by_method_and_entrypoint_of_requests_that_are_ok(metrics):
    counts = metrics[f"{SERVING}request_latency_count"]
    assert counts == {
        f'model_name="{MODEL}",API="{api}",entrypoint="{entrypoint}"': count
        for api, entrypoint, count in (
            ("predict", "REST", 2),
            ("classify", "REST", 1),
            ("regress", "REST", 1),
            ("", "REST", 2),
            ("Predict", "GRPC", 1),
            ("Classify", "GRPC", 1),
            ("Regress", "GRPC", 1),
            ("MultiInference", "GRPC", 1),
        )
    }
    sums = metrics[f"{SERVING}request_latency_sum"]
    assert all(0 < value < 60e6 for value in sums.values())


def test_runs_of_the_model_are_counted_by_method_and_take_no_longer_than_the_requests(metrics):
    assert metrics[f"{SERVING}runtime_latency_count"] == {
        f'model_name="{MODEL}",API="{api}",runtime="TF1"': count
        for api, count in (("Predict", 3), ("Classify", 2), ("Regress", 2), ("MultiInference", 2))
    }
    runs = metrics[f"{SERVING}runtime_latency_sum"]
    requests = metrics[f"{SERVING}request_latency_sum"]
    answering = sum(
        seconds for labels, seconds in requests.items() if '"predict"' in labels.lower()
    )
    assert 0 < runs[f'model_name="{MODEL}",API="Predict",runtime="TF1"'] < answering


def test_batches_are_counted_with_rows_padding_and_queue(metrics):
    name = f"{SERVING}batching_session:"
    # Each of the 11 runs above waits for its answer, so each is a batch; two of them fail.
    assert metrics[f"{name}input_batch_size_count"] == {"": 11}
    assert metrics[f"{name}input_batch_size_sum"] == {"": 3 + 1 + 1 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 1}
    assert metrics[f"{name}queuing_latency_count"] == {'thread_pool_name="workers"': 11}
    runs = metrics[f"{name}wrapped_run_count"][""]
    assert metrics[f"{name}processed_batch_size_count"] == {"": runs}
    assert metrics[f"{name}processed_batch_size_sum"] == {"": 4 * runs}
    assert metrics[f"{name}padding_size_count"] == {'execution_batch_size="4"': runs}


def test_loading_and_states_are_shown(metrics, folder):
    path = f'model_path="{folder}/model/1"'
    loads = metrics[":tensorflow:cc:saved_model:load_attempt_count"]
    assert loads[f'{path},status="success"'] == 1
    assert 0 < metrics[":tensorflow:cc:saved_model:load_latency"][path] < 120e6
    states = metrics["darkroom_model_version_state"]
    assert states[f'model_name="{MODEL}",version="1",state="AVAILABLE"'] == 1


def test_requests_in_flight_are_only_the_one_that_asks(metrics):
    assert metrics["darkroom_requests_in_flight"] == {
        'entrypoint="REST"': 1,
        'entrypoint="GRPC"': 0,
    }


def test_process_is_measured(metrics):
    assert metrics["process_resident_memory_bytes"][""] > 50e6
    assert metrics["process_cpu_seconds_total"][""] > 0
    assert metrics["process_open_fds"][""] > 5


def wait_until_logged(caller, count, name=MODEL):
    labels = f'model_name="{name}",status_code="OK"'
    deadline = time.monotonic() + 60
    while caller.read_metrics().get(f"{SERVING}request_log_count", {}).get(labels, 0) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


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


def reload(caller, text):
    request = model_management_pb2.ReloadConfigRequest()
    request.metric_names.extend(["/tensorflow/cc/saved_model/load_attempt_count", "/x"])
    request.config.MergeFromString(parse_text(text, "ModelServerConfig", "x").SerializeToString())
    return caller.models.HandleReloadConfigRequest(request, timeout=60)


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


def test_reloading_tells_by_how_much_metrics_have_increased(folder):
    with contextlib.ExitStack() as stack:
        caller = Caller(stack.enter_context(create_server(folder)), stack)
        response = reload(caller, write_config(folder, name="another"))
    assert {metric.name: metric.int64_value_increase for metric in response.metric} == {
        "/tensorflow/cc/saved_model/load_attempt_count": 1,
        "/x": 0,
    }


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


def test_metrics_are_shown_only_where_they_are_enabled(folder, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text('prometheus_config { enable: true path: "/metrics" }')
    for monitoring, status in ((None, 404), (file, 200)):
        with contextlib.ExitStack() as stack:
            server = create_server(folder, monitoring_config_file=monitoring)
            caller = Caller(stack.enter_context(server), stack)
            assert caller.http.get("/metrics").status_code == status
            assert caller.http.get(METRICS).status_code == 404


def test_bad_monitoring_file_is_refused_at_the_start(folder, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus_config { enabled: true }")
    with pytest.raises(StartError, match="monitoring_config_file") as refusal:
        create_server(folder, monitoring_config_file=file).start()
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
