"""Servables that need no TensorFlow, and folders that hold them."""

import contextlib
import threading
import time

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.core import ServerCore
from darkroom.serving.model_server.models.loading import LoadPolicy
from darkroom.serving.model_server.models.manager import ModelManager, not_served
from darkroom.serving.model_server.operations.metrics import Metrics

NO_RETRY = LoadPolicy(poll_wait_seconds=0.01, max_num_retries=0)


class Echo:
    """A servable that knows the folder it came from."""

    signature_defs: dict = {}

    def __init__(self, path):
        self.content = (path / "saved_model.pb").read_text()
        if self.content == "broken":
            raise ValueError(f"{path.name} is broken")
        self.path = path
        self.closed = False

    async def run(self, signature_name, inputs):
        return {}

    def close(self):
        self.closed = True


class Gate:
    """A loader that waits at a version until it is let through."""

    def __init__(self, *versions):
        self.entered = {version: threading.Event() for version in versions}
        self.opened = {version: threading.Event() for version in versions}
        self.loaded = []

    def __call__(self, path):
        version = int(path.name)
        if version in self.entered:
            self.entered[version].set()
            assert self.opened[version].wait(20)
        servable = Echo(path)
        self.loaded.append(servable)
        return servable


def put(base_path, version, content="good"):
    """Makes or replaces a version folder whose model file has this content."""
    folder = base_path / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "new"
    temporary.write_text(content)
    temporary.rename(folder / "saved_model.pb")


def take_away(base_path, version):
    (base_path / str(version) / "saved_model.pb").unlink()


def create(base_path, policy=NO_RETRY, load=Echo, metrics=None, **options):
    return ModelManager("m", base_path, load, metrics or Metrics(), policy, **options)


def create_core(load=Echo, policy=NO_RETRY, **options):
    def create_manager(settings):
        return ModelManager(
            settings.name, settings.base_path, load, Metrics(), policy, settings.versions
        )

    return ServerCore(create_manager, create_config(**options), Metrics())


def create_config(**options):
    return ServerConfig(model_base_path="unused", **options)


def states(manager):
    return {status.version: status.state.name for status in manager.list_statuses()}


@contextlib.contextmanager
def lease(manager, version=None):
    """As the server's core does for each request."""
    loaded = manager.acquire(version)
    if loaded is None:
        raise not_served(manager.name, version)
    try:
        yield loaded
    finally:
        loaded.release()


def served(manager):
    """The versions that answer, the newest first."""
    found = [v for v in sorted(states(manager), reverse=True) if manager.is_available(v)]
    for version in found:
        with lease(manager, version) as loaded:
            assert loaded.version == version
    return found


def wait_until(condition, timeout_seconds=20):
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "this never came about"
        time.sleep(0.002)


@contextlib.contextmanager
def following(base_path, policy=NO_RETRY, load=Echo, **options):
    manager = create(base_path, policy, load, **options)
    manager.start()
    manager.wait_for_first_look()
    try:
        yield manager
    finally:
        manager.stop()
        assert manager.join(20)
