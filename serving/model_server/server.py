"""One model server: ports, models, and the order in which they start and stop."""

import contextlib
import importlib
import logging
import os
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any, Final

from darkroom.serving.model_server.batching.batcher import Batcher
from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.core import ServerCore
from darkroom.serving.model_server.endpoints import Endpoints
from darkroom.serving.model_server.errors import StartError, StartInterrupted, StatusError
from darkroom.serving.model_server.event_loop import EventLoopThread
from darkroom.serving.model_server.models import memory
from darkroom.serving.model_server.models.config_file import ConfigFileFollower, read_config_file
from darkroom.serving.model_server.models.leases import Servable
from darkroom.serving.model_server.models.loading import LoadPolicy
from darkroom.serving.model_server.models.manager import ModelManager
from darkroom.serving.model_server.models.settings import ModelSettings, create_config
from darkroom.serving.model_server.models.statuses import VersionStatus
from darkroom.serving.model_server.models.versions import SAVED_MODEL_FILES, TFLITE_FILE
from darkroom.serving.model_server.operations.metrics import Metrics

logger = logging.getLogger(__name__)

THREADS_PER_CPU: Final = 4
"""As in TensorFlow Serving."""
COMPUTING: Final = "model"
"""How the names of the threads begin that compute requests one by one."""
STOP_SECONDS: Final = 1.0
"""How long a stopping server waits for the models to be unloaded, once no request is left."""
INTERRUPT_SECONDS: Final = 0.1
"""How soon a start that waits for models sees that it is interrupted."""
MAX_NAMES: Final = 5
"""Models that are named in the line that says what is served."""


class ModelServer:
    """Serves models over REST and gRPC, in this process, from its own threads.

    A context manager: entering starts the server, leaving stops it. When entered, the versions
    that the folders hold are loaded, or their errors are in the status.

    Args:
        owns_process: Whether the process is there for this server only. Then what is in memory
            before the models is never garbage, and unloading a model holds up no request.

    Raises:
        StartError: A port cannot be bound, or a configuration file is not valid; raised on
            entering.
    """

    def __init__(self, config: ServerConfig, owns_process: bool = False) -> None:
        self.config = config
        self.metrics = Metrics()
        self._owns_process = owns_process
        self._core: ServerCore | None = None
        self._endpoints: Endpoints | None = None
        self._interrupted = False
        self._stops = contextlib.ExitStack()

    def __enter__(self) -> "ModelServer":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def rest_port(self) -> int | None:
        """The bound REST port; None if there is none."""
        return self._endpoints.rest_port if self._endpoints is not None else None

    @property
    def grpc_port(self) -> int | None:
        """The bound gRPC port; None if there is none."""
        return self._endpoints.grpc_port if self._endpoints is not None else None

    def start(self) -> None:
        """Binds the ports, loads the models, and begins to answer.

        Imports TensorFlow, which takes about ten seconds the first time.

        Raises:
            StartError: A port cannot be bound, a configuration file is not valid, or the server has
                been started before.
            StartInterrupted: `interrupt` was called meanwhile.
        """
        if self._core is not None:
            raise StartError("this server has been started before; make another one")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        logger.info("%s", self.describe())

    def _start(self) -> None:
        """Starts one thing after the other, and notes how each is stopped; the last one first."""
        stops = self._stops
        # Files and ports first: what is wrong there is then told before TensorFlow is imported.
        core = self._create_core()
        self.metrics.watch_states(core.list_states)
        models = self._read_models(core)
        self._core = core
        stops.callback(core.join, STOP_SECONDS)
        stops.callback(core.stop)
        stops.callback(core.request_log.stop)
        loop = EventLoopThread()
        stops.callback(loop.stop)
        endpoints = self._endpoints = loop.call(self._bind_ports())
        stops.callback(lambda: loop.call(endpoints.stop()))
        stops.callback(core.begin_stop)
        self._load_models(core, models)
        loop.call(endpoints.start(core))
        self._follow_config_file(core)

    def interrupt(self) -> None:
        """Makes a `start` under way give up; does nothing else, so a signal handler may call it."""
        self._interrupted = True

    def _create_core(self) -> ServerCore:
        config, metrics = self.config, self.metrics
        batcher = Batcher(config, metrics) if config.enable_batching else None
        if batcher is not None:
            self._stops.callback(batcher.close)
        executor = futures.ThreadPoolExecutor(_count_threads(config), COMPUTING)
        self._stops.callback(executor.shutdown, wait=False)
        slots = threading.Semaphore(config.num_load_threads or os.cpu_count() or 1)
        policy = LoadPolicy(
            config.file_system_poll_wait_seconds,
            config.max_num_load_retries,
            config.load_retry_interval_seconds,
            (*SAVED_MODEL_FILES, *([TFLITE_FILE] if config.prefer_tflite_model else [])),
        )

        def load(path: Path) -> Servable:
            # Not at the top of this file, because it imports TensorFlow.
            from darkroom.serving.model_server.servables.loading import load_servable

            return load_servable(path, config, metrics, executor, batcher)

        def create_manager(model: ModelSettings) -> ModelManager:
            return ModelManager(
                model.name, model.base_path, load, metrics, policy, model.versions, slots
            )

        return ServerCore(create_manager, config, metrics)

    def _read_models(self, core: ServerCore) -> Any:
        path = self.config.model_config_file
        if path is None:
            assert self.config.model_base_path is not None  # As ServerConfig sees to it.
            return create_config(self.config.model_name, self.config.model_base_path)
        models = read_config_file(path)
        try:
            core.check(models)
        except StatusError as error:
            raise StartError(f"--model_config_file: {path}: {error.message}") from None
        return models

    def _load_models(self, core: ServerCore, models: Any) -> None:
        # Here and not in the threads that load: two of them must not import it at once.
        importlib.import_module("darkroom.serving.model_server.servables.loading")
        if self._owns_process:
            memory.set_aside()
        for manager in core.apply(models):
            while not manager.wait_for_first_look(INTERRUPT_SECONDS):
                self._check_interrupted()
        self._check_interrupted()

    def _check_interrupted(self) -> None:
        if self._interrupted:
            raise StartInterrupted("stopped before all models were loaded")

    def _follow_config_file(self, core: ServerCore) -> None:
        config = self.config
        path, seconds = config.model_config_file, config.model_config_file_poll_wait_seconds
        if path is not None and seconds > 0:
            follower = ConfigFileFollower(path, seconds, core.apply)
            follower.start()
            self._stops.callback(follower.stop)

    async def _bind_ports(self) -> Endpoints:
        return Endpoints(self.config, self.metrics)

    def describe(self) -> str:
        """Returns one line that says what is served where."""
        names = self._core.list_models() if self._core is not None else []
        where = self._endpoints.describe() if self._endpoints is not None else "nowhere yet"
        return f"serving {_join_names(names)}: {where}"

    def stop(self) -> None:
        """Takes no new requests, waits for those begun, and lets go of the models."""
        self._stops.close()

    def wait_until_available(self, timeout_seconds: float) -> None:
        """Waits until each model has a version that is AVAILABLE.

        Raises:
            NotAvailableError: The time is over, or all versions of a model have failed for good.
            StartError: The server is not started.
        """
        deadline = time.monotonic() + timeout_seconds
        for name in self._require_core().list_models():
            manager = self._require_core().get_manager(name)
            if manager is not None:
                manager.wait_until_available(max(deadline - time.monotonic(), 0.0))

    def list_statuses(self, model_name: str | None = None) -> list[VersionStatus]:
        """Returns the statuses of all versions of a model seen, the newest first.

        Args:
            model_name: Name of the model; may be left out where there is one only.

        Raises:
            StartError: The server is not started, has no such model, or several to choose from.
        """
        core = self._require_core()
        names = core.list_models()
        if model_name is None and len(names) == 1:
            model_name = names[0]
        manager = core.get_manager(model_name or "")
        if manager is None:
            served = ", ".join(map(repr, names)) or "none"
            raise StartError(f"model_name is {model_name!r}; the models are: {served}")
        return manager.list_statuses()

    def _require_core(self) -> ServerCore:
        if self._core is None:
            raise StartError("the server is not started; use `with ModelServer(config) as server`")
        return self._core


def _join_names(names: list[str]) -> str:
    shown = ", ".join(names[:MAX_NAMES]) or "no models"
    return shown if len(names) <= MAX_NAMES else f"{shown} and {len(names) - MAX_NAMES} more"


def _count_threads(config: ServerConfig) -> int:
    default = THREADS_PER_CPU * (os.cpu_count() or 1)
    rest = config.rest_api_num_threads or default if config.rest_port is not None else 0
    has_grpc = config.grpc_port is not None or config.grpc_socket_path is not None
    grpc = config.grpc_max_threads or default if has_grpc else 0
    return rest + grpc
