"""Where one model server can be asked: REST and gRPC, bound, started and stopped together."""

import asyncio
import math

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.core import ServerCore
from darkroom.serving.model_server.grpc_api.server import GrpcServer
from darkroom.serving.model_server.operations.access_log import AccessLog
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.monitoring_config import read_metrics_path
from darkroom.serving.model_server.operations.observer import Observer
from darkroom.serving.model_server.rest.handler import RestHandler
from darkroom.serving.model_server.rest.protocol import Limits
from darkroom.serving.model_server.rest.server import RestServer
from darkroom.serving.model_server.rest.service import RestService


class Endpoints:
    """The REST and the gRPC server of one model server, in the event loop that makes them.

    Attributes:
        rest_port: The bound REST port; None if there is none.
        grpc_port: The bound gRPC port; None if there is none.

    Raises:
        StartError: A port or socket cannot be bound, or a file that says how is not valid.
    """

    def __init__(self, config: ServerConfig, metrics: Metrics) -> None:
        self._config = config
        self._metrics = metrics
        self._metrics_path = read_metrics_path(config.monitoring_config_file)
        self._access_log = AccessLog(metrics) if config.access_log else None
        self._handler: RestHandler | None = None
        has_grpc = config.grpc_port is not None or config.grpc_socket_path is not None
        port = config.rest_port
        self._rest = RestServer(config.host, port) if port is not None else None
        self._grpc = self._bind_grpc() if has_grpc else None
        self.rest_port = self._rest.port if self._rest is not None else None
        self.grpc_port = self._grpc.port if self._grpc is not None else None

    def _bind_grpc(self) -> GrpcServer:
        try:
            return GrpcServer(self._config)
        except BaseException:
            if self._rest is not None:
                self._rest.close()
            raise

    def describe(self) -> str:
        """Returns in words where the server can be asked."""
        config = self._config
        host = f"[{config.host}]" if ":" in config.host else config.host
        parts = []
        if self.rest_port is not None:
            parts.append(f"REST http://{host}:{self.rest_port}")
        if self.grpc_port is not None:
            parts.append(f"gRPC {host}:{self.grpc_port}")
        if config.grpc_socket_path is not None:
            parts.append(f"gRPC unix:{config.grpc_socket_path}")
        if self._grpc is not None and config.ssl_config_file is not None:
            parts.append("(gRPC with TLS)")
        return " ".join(parts)

    async def start(self, core: ServerCore) -> None:
        """Begins to answer requests."""
        observer = Observer(self._metrics, self._access_log)
        if self._grpc is not None:
            await self._grpc.start(core, observer)
        if self._rest is not None:
            await self._start_rest(self._rest, core, observer)

    async def _start_rest(self, rest: RestServer, core: ServerCore, observer: Observer) -> None:
        config = self._config
        handler = self._handler = RestHandler(core, config.max_json_depth)
        service = RestService(
            handler,
            core.is_ready,
            self._metrics.render,
            config.max_request_bytes,
            config.rest_api_enable_cors_support,
            self._metrics_path,
        )
        timeout_ms = config.rest_api_timeout_in_ms
        await rest.start(
            service.respond,
            observer,
            Limits(
                config.max_request_bytes,
                config.client_timeout_seconds or math.inf,
                timeout_ms / 1000 if timeout_ms > 0 else None,
            ),
            config.drain_seconds,
        )

    async def stop(self) -> None:
        """Takes no new requests, waits for those begun as long as is configured, and lets go."""
        stops = []
        if self._rest is not None:
            stops.append(self._rest.stop())
        if self._grpc is not None:
            stops.append(self._grpc.stop(self._config.drain_seconds))
        await asyncio.gather(*stops)
        if self._handler is not None:
            self._handler.close()
        if self._access_log is not None:
            await asyncio.to_thread(self._access_log.stop)
