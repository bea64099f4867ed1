"""The gRPC server around the services."""

import asyncio
import re
from typing import Final
from urllib.parse import quote

import grpc

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.core import ServerCore
from darkroom.serving.model_server.errors import StartError
from darkroom.serving.model_server.grpc_api.calls import Calls
from darkroom.serving.model_server.grpc_api.health import HealthService
from darkroom.serving.model_server.grpc_api.service import create_handlers
from darkroom.serving.model_server.grpc_api.tls import read_server_credentials
from darkroom.serving.model_server.grpc_api.unix_socket import SocketFile, name_socket
from darkroom.serving.model_server.operations.observer import Observer

MAX_MESSAGE_BYTES: Final = 2**31 - 1
"""What gRPC can count, in its options too."""
STREAM_GRACE_SECONDS: Final = 0.5
"""How long a stopping server waits for streams, which clients may keep open for ever."""
_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)


class GrpcServer:
    """Serves the gRPC API, in the event loop that makes it.

    Args:
        config: Where to serve, with which options, and with what credentials.

    Attributes:
        port: The bound TCP port; None if there is only a unix socket.

    Raises:
        StartError: A port or socket cannot be bound, or an option or the credentials are not valid.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._credentials = (
            read_server_credentials(config.ssl_config_file, config.rest_port is not None)
            if config.ssl_config_file is not None
            else None
        )
        options = _create_options(config)
        path = config.grpc_socket_path
        bound_path = name_socket(path) if path is not None else None
        self._server = grpc.aio.server(options=options)
        self._health: HealthService | None = None
        self._calls: Calls | None = None
        self._socket_file: SocketFile | None = None
        self.port = None if config.grpc_port is None else self._bind_port(config.grpc_port)
        if path is not None and bound_path is not None:
            if self._bind(f"unix:{quote(str(bound_path))}") == 0:
                raise StartError(f"cannot bind grpc_socket_path={path}; use another path")
            self._socket_file = SocketFile(bound_path, path)

    def _bind_port(self, port: int) -> int:
        host = self._config.host
        bound = self._bind(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        if bound == 0:
            raise StartError(f"cannot bind gRPC port {port} of {host}; use another --port")
        return bound

    def _bind(self, address: str) -> int:
        try:
            if self._credentials is not None:
                return int(self._server.add_secure_port(address, self._credentials))
            return int(self._server.add_insecure_port(address))
        except RuntimeError:
            return 0

    async def start(self, core: ServerCore, observer: Observer) -> None:
        """Begins to answer requests."""
        config = self._config
        self._calls = Calls(core, observer)
        self._server.add_generic_rpc_handlers(create_handlers(self._calls))
        if config.enable_grpc_healthcheck_service:
            self._health = HealthService(core.is_ready)
            self._server.add_generic_rpc_handlers((self._health.create_handler(),))
        if config.enable_grpc_reflection:
            from darkroom.serving.model_server.grpc_api.reflection import add_reflection

            add_reflection(self._server, config.enable_grpc_healthcheck_service)
        await self._server.start()

    async def stop(self, drain_seconds: float) -> None:
        """Takes no new requests, and waits for those begun."""
        if self._health is not None:
            self._health.stop()
        draining = asyncio.create_task(self._server.stop(drain_seconds))
        if self._calls is not None and await self._only_streams_remain(draining, drain_seconds):
            # gRPC crashes the process where a server is stopped twice at the same time.
            draining.cancel()
            await asyncio.wait({draining})
            await self._server.stop(0)
        else:
            await draining
        if self._socket_file is not None:
            self._socket_file.remove()

    async def _only_streams_remain(
        self, draining: "asyncio.Task[None]", drain_seconds: float
    ) -> bool:
        """Whether all requests are answered, long before the end, and streams have had their time.

        Close to its end `draining` ends the streams itself, and must not be cancelled any more.
        """
        assert self._calls is not None
        end = asyncio.get_running_loop().time() + drain_seconds
        answered = asyncio.create_task(self._calls.wait_until_none())
        await asyncio.wait({draining, answered}, return_when=asyncio.FIRST_COMPLETED)
        answered.cancel()
        if end - asyncio.get_running_loop().time() < 2 * STREAM_GRACE_SECONDS:
            return False
        await asyncio.wait({draining}, timeout=STREAM_GRACE_SECONDS)
        return not draining.done()


def _create_options(config: ServerConfig) -> list[tuple[str, int | str]]:
    options: dict[str, int | str] = {
        "grpc.max_receive_message_length": min(config.max_request_bytes, MAX_MESSAGE_BYTES),
        "grpc.max_send_message_length": -1,
        # Else a second server binds the same port without an error, and gets half the requests.
        "grpc.so_reuseport": 0,
    }
    options |= parse_channel_arguments(config.grpc_channel_arguments)
    return list(options.items())


def parse_channel_arguments(text: str) -> dict[str, int | str]:
    """Returns the options in a text as `name=value,name=value`; integers of 32 bits as such.

    Raises:
        StartError: A part is not `name=value`.
    """
    options: dict[str, int | str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not name or not equals or not value:
            raise StartError(
                f"grpc_channel_arguments={text!r}: {part!r} is not name=value; put commas between "
                "options, as grpc.max_connection_age_ms=60000,grpc.keepalive_time_ms=30000"
            )
        options[name] = _parse_value(value)
    return options


def _parse_value(value: str) -> int | str:
    if _INTEGER.fullmatch(value) and abs(int(value)) <= MAX_MESSAGE_BYTES:
        return int(value)
    return value
