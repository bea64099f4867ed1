"""A server of a model that computes, and a caller that has asked it a known series."""

import time

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from darkroom.serving.model_server import ModelServer, ServerConfig
from darkroom.serving.protos.text_files import parse_text
from darkroom.tests.serving.operations import calculator
from darkroom.tests.serving.operations.calculator import MODEL

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


def wait_until_logged(caller, count, name=MODEL):
    labels = f'model_name="{name}",status_code="OK"'
    deadline = time.monotonic() + 60
    while caller.read_metrics().get(f"{SERVING}request_log_count", {}).get(labels, 0) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def reload(caller, text):
    request = model_management_pb2.ReloadConfigRequest()
    request.metric_names.extend(["/tensorflow/cc/saved_model/load_attempt_count", "/x"])
    request.config.MergeFromString(parse_text(text, "ModelServerConfig", "x").SerializeToString())
    return caller.models.HandleReloadConfigRequest(request, timeout=60)
