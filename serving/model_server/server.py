"""One model server: ports, models, and the order in which they start and stop."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from serving.model_server.config import ServerConfig
from serving.model_server.core import ServerCore
from serving.model_server.errors import StartError
from serving.model_server.grpc_api.server import GrpcServer
from serving.model_server.models.leases import Servable
from serving.model_server.models.manager import LoadPolicy, ModelManager
from serving.model_server.models.statuses import VersionStatus
from serving.model_server.rest.handler import RestHandler
from serving.model_server.rest.server import RestServer

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
        self._manager = ModelManager(
            config.model_name,
            config.model_base_path,
            _create_loader(config.enable_model_warmup),
            LoadPolicy(
                config.file_system_poll_wait_seconds,
                config.max_num_load_retries,
                config.load_retry_interval_seconds,
            ),
        )
        try:
            # Ports first: one that is taken is then reported before TensorFlow is imported.
            self._bind_ports()
            self._manager.start()
            self._serve(ServerCore({config.model_name: self._manager}))
        except BaseException:
            self.stop()
            raise

    def _bind_ports(self) -> None:
        config = self.config
        default_threads = THREADS_PER_CPU * (os.cpu_count() or 1)
        if config.rest_port is not None:
            timeout_ms = config.rest_api_timeout_in_ms
            self._rest = RestServer(
                config.host,
                config.rest_port,
                config.rest_api_num_threads or default_threads,
                timeout_ms / 1000 if timeout_ms > 0 else None,
            )
        if config.grpc_port is not None:
            self._grpc = GrpcServer(
                config.host, config.grpc_port, config.grpc_max_threads or default_threads
            )

    def _serve(self, core: ServerCore) -> None:
        if self._grpc is not None:
            self._grpc.start(core)
        if self._rest is not None:
            self._rest.start(RestHandler(core), self.config.drain_seconds)
        logger.info("%s", self.describe())

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
        if self._rest is not None:
            self._rest.stop()
        if self._grpc is not None:
            self._grpc.stop(self.config.drain_seconds)
        if self._manager is not None:
            self._manager.stop()

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


def _create_loader(enable_warmup: bool) -> Callable[[Path], Servable]:
    def load(path: Path) -> Servable:
        # Not at the top of this file, because both import TensorFlow.
        from serving.model_server.servables.saved_model import SavedModelServable
        from serving.model_server.servables.warmup import warm_up

        servable = SavedModelServable(path)
        if enable_warmup:
            warm_up(servable, path)
        return servable

    return load
