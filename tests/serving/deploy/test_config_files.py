"""The text protos, as TensorFlow Serving's own messages and as our server reads them."""

import pytest

from darkroom.serving.model_server.batching.parameters import read_batching_parameters
from darkroom.serving.protos.text_files import read_text_file
from darkroom.tests.serving.deploy.rendering import DEPLOY, KUBERNETES

CONFIG = DEPLOY / "config"
MODEL_FILES = (*CONFIG.glob("models*.config"), *KUBERNETES.rglob("models*.config"))
BATCHING_FILES = tuple(CONFIG.glob("batching*.config"))


def test_every_configuration_file_is_covered_here():
    assert {path.name for path in MODEL_FILES} == {
        "models.config",
        "models-stable.config",
        "models-canary.config",
    }
    assert {path.name for path in BATCHING_FILES} == {"batching.config", "batching-gpu.config"}
    others = {path.name for path in DEPLOY.rglob("*.config")} - {
        path.name for path in (*MODEL_FILES, *BATCHING_FILES)
    }
    assert others == {"monitoring.config"}


@pytest.mark.parametrize("path", MODEL_FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_models_are_served_from_the_folder_of_their_name(path):
    message = read_text_file(path, "ModelServerConfig")
    models = list(message.model_config_list.config)
    assert models
    for model in models:
        assert model.base_path == f"/models/{model.name}"
        assert model.model_platform == "tensorflow"
        assert model.model_version_policy.WhichOneof("policy_choice")


@pytest.mark.parametrize("path", BATCHING_FILES, ids=lambda path: path.name)
def test_batching_file_sets_what_its_comments_explain_and_our_server_agrees(path):
    message = read_text_file(path, "BatchingParameters")
    ours = read_batching_parameters(path)
    for field in (
        "max_batch_size", "batch_timeout_micros", "num_batch_threads", "max_enqueued_batches",
    ):  # fmt: skip
        assert message.HasField(field)
        assert getattr(ours, field) == getattr(message, field).value


def test_gpu_batches_are_padded_to_sizes_that_end_with_the_largest():
    message = read_text_file(CONFIG / "batching-gpu.config", "BatchingParameters")
    sizes = list(message.allowed_batch_sizes)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == message.max_batch_size.value


def test_metrics_are_on_at_the_path_that_prometheus_is_told():
    message = read_text_file(CONFIG / "monitoring.config", "MonitoringConfig")
    assert message.prometheus_config.enable
    assert message.prometheus_config.path == "/monitoring/prometheus/metrics"
