import httpx
import pytest

from darkroom.serving.model_server import ModelServer, ServerConfig
from darkroom.tests.serving.saved_models import save_examples, save_half_plus_three, save_zoo

MODEL = "zoo"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A real server on a real SavedModel, shared by all tests that do not change it."""
    base_path = tmp_path_factory.mktemp(MODEL)
    save_zoo(base_path / "3")
    config = ServerConfig(
        model_name=MODEL, model_base_path=base_path, file_system_poll_wait_seconds=0
    )
    with ModelServer(config) as running:
        running.wait_until_available(timeout_seconds=0)
        yield running


@pytest.fixture(scope="session")
def rest_url(server):
    return f"http://127.0.0.1:{server.rest_port}"


@pytest.fixture(scope="session")
def grpc_address(server):
    return f"127.0.0.1:{server.grpc_port}"


@pytest.fixture(scope="session")
def http(rest_url):
    """An HTTP client whose paths are relative to the server."""
    with httpx.Client(base_url=rest_url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def reference_server(tmp_path_factory):
    """A real server of the models in TensorFlow Serving's references, and of one for examples."""
    base_path = tmp_path_factory.mktemp("reference")
    paths = {
        "saved_model_half_plus_three": base_path / "half_plus_three" / "123",
        "examples": base_path / "examples" / "1",
    }
    paths["saved_model_half_plus_three"].parent.mkdir()
    save_half_plus_three(paths["saved_model_half_plus_three"])
    save_examples(paths["examples"])
    models = "".join(
        f'config {{ name: "{name}" base_path: "{path.parent}" model_platform: "tensorflow" }}\n'
        for name, path in paths.items()
    )
    config_file = base_path / "models.config"
    config_file.write_text(f"model_config_list {{\n{models}}}\n")
    config = ServerConfig(model_config_file=config_file, file_system_poll_wait_seconds=0)
    with ModelServer(config) as running:
        running.wait_until_available(timeout_seconds=0)
        yield running


@pytest.fixture(scope="session")
def reference_http(reference_server):
    """An HTTP client of that server, whose paths are relative to it."""
    url = f"http://127.0.0.1:{reference_server.rest_port}"
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        yield client
