import httpx
import pytest

from serving.model_server import ModelServer, ServerConfig
from tests.serving.saved_models import save_zoo

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
