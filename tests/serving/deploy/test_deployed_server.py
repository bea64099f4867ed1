"""Our server started as the manifests start TensorFlow Serving, asked what their probes ask."""

import subprocess

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from darkroom.serving.model_server import ModelServer
from darkroom.serving.protos.text_files import read_text_file
from darkroom.tests.serving.deploy.flags import read_flags
from darkroom.tests.serving.deploy.rendering import config_of, container_of, render, render_compose
from darkroom.tests.serving.saved_models import save_zoo

OVERLAYS = {"base": "digits", "overlays/gpu": "digits", "overlays/own-model": "faces"}


class Deployment:
    """One rendered Deployment, with its files in a folder of this machine."""

    def __init__(self, overlay, folder):
        manifests = render(overlay)
        deployment = manifests.one_of("Deployment")
        self.container = container_of(deployment)
        self.models = folder / "models"
        self.models.mkdir()
        self.files = folder / "config"
        self.files.mkdir()
        for name, text in config_of(manifests, deployment).items():
            (self.files / name).write_text(text.replace("/models/", f"{self.models}/"))

    @property
    def config(self):
        """The container's flags, with this machine's folders and free ports."""
        arguments = [
            argument.replace("=/config/", f"={self.files}/") for argument in self.container["args"]
        ]
        # A second between looks at the folder, so that the test need not wait for five.
        free = {"rest_port": 0, "grpc_port": 0, "file_system_poll_wait_seconds": 0.2}
        return read_flags(arguments).model_copy(update=free)

    def path_of(self, probe):
        return self.container[probe]["httpGet"]["path"]


@pytest.fixture(scope="module", params=OVERLAYS)
def deployed(request, tmp_path_factory):
    deployment = Deployment(request.param, tmp_path_factory.mktemp("deployed"))
    model = OVERLAYS[request.param]
    save_zoo(deployment.models / model / "1")
    with ModelServer(deployment.config) as server:
        server.wait_until_available(timeout_seconds=60)
        yield deployment, server, model


def ask(server, path):
    return httpx.get(f"http://127.0.0.1:{server.rest_port}{path}", trust_env=False, timeout=30)


def run_health_check(server, model):
    """Runs the compose file's health check as Docker would, but on the server's own port."""
    service = render_compose("cpu")["services"]["serving"]
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD"
    # Compose writes a dollar that is not its own twice.
    words = [
        word.replace("$$", "$").replace("/127.0.0.1/8501", f"/127.0.0.1/{server.rest_port}")
        for word in command
    ]
    assert str(server.rest_port) in words[-1]
    return subprocess.run(words, env={"DARKROOM_MODEL": model}, timeout=20, capture_output=True)


def test_http_probes_pass_once_a_version_is_available(deployed):
    deployment, server, _ = deployed
    for probe in ("startupProbe", "readinessProbe"):
        assert ask(server, deployment.path_of(probe)).status_code == 200


def test_liveness_probe_passes_without_naming_a_service(deployed):
    deployment, server, _ = deployed
    assert "service" not in deployment.container["livenessProbe"]["grpc"]
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=30
        )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_requests_are_answered_under_these_flags(deployed):
    _, server, model = deployed
    answer = httpx.post(
        f"http://127.0.0.1:{server.rest_port}/v1/models/{model}:predict",
        json={"signature_name": "add", "inputs": {"x": [1.0, 2.0], "y": [3.0, 4.0]}},
        trust_env=False,
        timeout=30,
    )
    assert answer.json() == {"outputs": [4.0, 6.0]}


def test_metrics_are_where_prometheus_looks(deployed):
    deployment, server, _ = deployed
    monitoring = read_text_file(deployment.files / "monitoring.config", "MonitoringConfig")
    answer = ask(server, monitoring.prometheus_config.path)
    assert answer.status_code == 200
    # What the adapter's rule in docs/deploy.md asks for.
    assert ":tensorflow:serving:request_count" in answer.text


def test_health_check_passes_for_the_served_model_and_fails_for_others(deployed):
    _, server, model = deployed
    assert run_health_check(server, model).returncode == 0
    assert run_health_check(server, "nobody").returncode != 0


def test_a_version_that_failed_to_load_is_alive_and_not_ready(tmp_path):
    deployment = Deployment("base", tmp_path)
    broken = deployment.models / "digits" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"not a graph")
    config = deployment.config.model_copy(
        update={"max_num_load_retries": 0, "enable_model_warmup": False}
    )
    with ModelServer(config) as server:
        # The status is 200 all the same, which is why no probe asks for it.
        assert ask(server, "/v1/models/digits").status_code == 200
        assert ask(server, deployment.path_of("readinessProbe")).status_code == 404
        assert run_health_check(server, "digits").returncode != 0


def test_health_check_fails_where_nothing_listens(deployed):
    _, server, model = deployed

    class Gone:
        rest_port = 1

    assert run_health_check(server, model).returncode == 0
    assert run_health_check(Gone, model).returncode != 0
