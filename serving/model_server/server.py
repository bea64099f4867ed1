"""One model server: ports, models, and the order in which they start and stop."""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from types import TracebackType
from typing import Final

from serving.model_server.config import ServerConfig
from serving.model_server.core import ServerCore
from serving.model_server.errors import StartError
from serving.model_server.event_loop import EventLoopThread
from serving.model_server.grpc_api.server import GrpcServer
from serving.model_server.models.leases import Servable
from serving.model_server.models.manager import LoadPolicy, ModelManager
from serving.model_server.models.statuses import VersionStatus
from serving.model_server.rest.handler import RestHandler
from serving.model_server.rest.server import RestServer
from serving.model_server.servables.threaded import ThreadedServable

logger = logging.getLogger(__name__)

THREADS_PER_CPU: Final = 4
"""As in TensorFlow Serving."""


class ModelServer:
    """Serves one model over REST and gRPC, in this process, from its own threads.

    A context manager: entering starts the server, leaving stops it. When entered, the newest
    version that the folder holds is loaded, or its error is in the status.

    Args:
        config: What to serve, and where.

    Raises:
        StartError: A port cannot be bound; raised on entering.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self._manager: ModelManager | None = None
        self._rest: RestServer | None = None
        self._grpc: GrpcServer | None = None
        self._loop: EventLoopThread | None = None
        self._executor: futures.ThreadPoolExecutor | None = None

    def __enter__(self) -> "ModelServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def rest_port(self) -> int | None:
        """The bound REST port; None if there is none."""
        return self._rest.port if self._rest is not None else None

    @property
    def grpc_port(self) -> int | None:
        """The bound gRPC port; None if there is none."""
        return self._grpc.port if self._grpc is not None else None

    def start(self) -> None:
        """Binds the ports, loads the newest version, and begins to answer.

        Imports TensorFlow, which takes about ten seconds the first time.

        Raises:
            StartError: A port cannot be bound, or the server has been started before.
        """
        if self._manager is not None:
            raise StartError("this server has been started before; make another one")
        config = self.config
        if config.model_base_path is None:
            raise StartError("model_config_file is not supported yet; use model_base_path")
        self._executor = futures.ThreadPoolExecutor(_count_threads(config), "model")
        self._manager = ModelManager(
            config.model_name,
            config.model_base_path,
            _create_loader(config.enable_model_warmup, self._executor),
            LoadPolicy(
                config.file_system_poll_wait_seconds,
                config.max_num_load_retries,
                config.load_retry_interval_seconds,
            ),
        )
        self._loop = EventLoopThread()
        try:
            # Ports first: one that is taken is then reported before TensorFlow is imported.
            self._loop.call(self._bind_ports())
            self._manager.start()
            self._loop.call(self._serve(ServerCore({config.model_name: self._manager})))
        except BaseException:
            self.stop()
            raise
        logger.info("%s", self.describe())

    async def _bind_ports(self) -> None:
        config = self.config
        if config.rest_port is not None:
            timeout_ms = config.rest_api_timeout_in_ms
            timeout_seconds = timeout_ms / 1000 if timeout_ms > 0 else None
            self._rest = RestServer(config.host, config.rest_port, timeout_seconds)
        if config.grpc_port is not None:
            self._grpc = GrpcServer(config.host, config.grpc_port)

    async def _serve(self, core: ServerCore) -> None:
        if self._grpc is not None:
            await self._grpc.start(core)
        if self._rest is not None:
            await self._rest.start(RestHandler(core), self.config.drain_seconds)

    def describe(self) -> str:
        """Returns one line that says what is served where."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        parts = [f"serving {self.config.model_name}:"]
        if self._rest is not None:
            parts.append(f"REST http://{host}:{self._rest.port}")
        if self._grpc is not None:
            parts.append(f"gRPC {host}:{self._grpc.port}")
        return " ".join(parts)

    def stop(self) -> None:
        """Takes no new requests, waits for those begun, and lets go of the model."""
        if self._loop is not None:
            self._loop.call(self._stop_serving())
            self._loop.stop()
        if self._manager is not None:
            self._manager.stop()
        if self._executor is not None:
            self._executor.shutdown(wait=False)

    async def _stop_serving(self) -> None:
        servers = []
        if self._rest is not None:
            servers.append(self._rest.stop())
        if self._grpc is not None:
            servers.append(self._grpc.stop(self.config.drain_seconds))
        await asyncio.gather(*servers)

    def wait_until_available(self, timeout_seconds: float) -> None:
        """Waits until a version is AVAILABLE.

        Raises:
            NotAvailableError: The time is over, or the only versions have failed for good.
            StartError: The server is not started.
        """
        self._require_manager().wait_until_available(timeout_seconds)

    def list_statuses(self) -> list[VersionStatus]:
        """Returns the statuses of all versions seen, the newest first.

        Raises:
            StartError: The server is not started.
        """
        return self._require_manager().list_statuses()

    def _require_manager(self) -> ModelManager:
        if self._manager is None:
            raise StartError("the server is not started; use `with ModelServer(config) as server`")
        return self._manager


def _count_threads(config: ServerConfig) -> int:
    default = THREADS_PER_CPU * (os.cpu_count() or 1)
    rest = config.rest_api_num_threads or default if config.rest_port is not None else 0
    grpc = config.grpc_max_threads or default if config.grpc_port is not None else 0
    return rest + grpc


def _create_loader(enable_warmup: bool, executor: futures.Executor) -> Callable[[Path], Servable]:
    def load(path: Path) -> Servable:
        # Not at the top of this file, because both import TensorFlow.
        from serving.model_server.servables.saved_model import SavedModel
        from serving.model_server.servables.warmup import warm_up

        model = SavedModel(path)
        if enable_warmup:
            warm_up(model, path)
        return ThreadedServable(model, executor)

    return load
