"""Servers of several small real models, and what to ask them."""

import shutil
import threading
import time

import numpy as np

from darkroom.serving.client import GrpcClient, RestClient, RetryPolicy, Target
from darkroom.serving.model_server import ModelServer, ServerConfig

NO_RETRY = RetryPolicy(attempts=1)


def put(saved, base_path, version):
    """Copies beside the target and renames, as the pipeline's Pusher does."""
    base_path.mkdir(parents=True, exist_ok=True)
    hidden = base_path / f".{version}.tmp"
    shutil.copytree(saved / str(version), hidden)
    hidden.rename(base_path / str(version))


def write_config(path, *models):
    """Writes a ModelServerConfig in place of the one before.

    Args:
        path: The file; the models' folders are beside it.
        models: Each one's name, or its name and more fields.
    """
    pairs = [model if isinstance(model, tuple) else (model, "") for model in models]
    entries = [
        f'  config {{ name: "{name}" base_path: "{path.parent / name}" '
        f'model_platform: "tensorflow" {more} }}\n'
        for name, more in pairs
    ]
    temporary = path.with_suffix(".tmp")
    temporary.write_text(f"model_config_list {{\n{''.join(entries)}}}\n")
    temporary.replace(path)


def labels(**versions):
    return " ".join(
        f'version_labels {{ key: "{label}" value: {version} }}'
        for label, version in versions.items()
    )


def serve(config_file, **options):
    options = {
        "file_system_poll_wait_seconds": 0.05,
        "max_num_load_retries": 0,
        "model_config_file_poll_wait_seconds": 0.05,
        **options,
    }
    return ModelServer(ServerConfig(model_config_file=config_file, **options))


def states(server, model_name):
    return {s.version: s.state.name for s in server.list_statuses(model_name)}


def wait_until(condition, timeout_seconds=60):
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "this never came about"
        time.sleep(0.01)


def connect(server, protocol, target):
    """Returns a client without retries; the target is a `Target` or a model's name."""
    target = target if isinstance(target, Target) else Target(target)
    if protocol == "rest":
        return RestClient(f"http://127.0.0.1:{server.rest_port}", target, 30, NO_RETRY)
    return GrpcClient(f"127.0.0.1:{server.grpc_port}", target, 30, NO_RETRY)


def ask(client):
    """Asks for the value of the constant that answers."""
    return float(client.predict_raw({"x": np.zeros(1, np.float32)})["value"][0])


class Caller(threading.Thread):
    """Asks without a pause; keeps the answers and the first error."""

    def __init__(self, client, stopping):
        super().__init__(daemon=True)
        self.client, self.stopping = client, stopping
        self.answers, self.error = [], None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.answers.append(ask(self.client))
        except Exception as error:
            self.error = error
