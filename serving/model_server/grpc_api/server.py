"""The gRPC server around the services."""

from typing import TYPE_CHECKING, Final

import grpc

from serving.model_server.errors import StartError

if TYPE_CHECKING:
    from serving.model_server.core import ServerCore

_OPTIONS: Final = (
    # Images in a batch exceed the default of 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Else a second server binds the same port without an error, and gets half the requests.
    ("grpc.so_reuseport", 0),
)


class GrpcServer:
    """Serves the gRPC API, in the event loop that makes it.

    Args:
        host: Address to bind.
        port: TCP port; 0 takes a free one.

    Attributes:
        port: The bound port.

    Raises:
        StartError: The port cannot be bound.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        try:
            self.port = self._server.add_insecure_port(f"{_bracket(host)}:{port}")
        except RuntimeError:
            self.port = 0
        if self.port == 0:
            raise StartError(f"cannot bind gRPC port {port} of {host}; use another --port")

    async def start(self, core: "ServerCore") -> None:
        """Begins to answer requests."""
        # Not at the top of this file, because it imports TensorFlow.
        from serving.model_server.grpc_api.service import create_handlers

        self._server.add_generic_rpc_handlers(create_handlers(core))
        await self._server.start()

    async def stop(self, drain_seconds: float) -> None:
        """Takes no new requests, and waits for those begun."""
        await self._server.stop(drain_seconds)


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
