"""gRPC's health service, with the names of TensorFlow Serving.

Not the servicer of `grpc_health`: with that, clients that watch keep a stopping server waiting, and
the end of one of them leaves the others without news.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2

SERVICE_NAME: Final = "grpc.health.v1.Health"
SERVICES: Final = frozenset({"", "ModelService", "PredictionService"})
"""What clients may ask about; the empty name means the server."""
_POLL_SECONDS: Final = 0.5


class HealthService:
    """Answers whether the server is ready, the same for each of its services."""

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready
        self._stopping = asyncio.Event()

    def create_handler(self) -> grpc.GenericRpcHandler:
        """Returns the service for a `grpc.aio` server."""
        codec: dict[str, Any] = {
            "request_deserializer": health_pb2.HealthCheckRequest.FromString,
            "response_serializer": health_pb2.HealthCheckResponse.SerializeToString,
        }
        return grpc.method_handlers_generic_handler(
            SERVICE_NAME,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check, **codec),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **codec),
            },
        )

    def stop(self) -> None:
        """Tells who watches, and ends their calls."""
        self._stopping.set()

    async def _check(self, request: Any, context: Any) -> Any:
        if request.service not in SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return health_pb2.HealthCheckResponse(status=self._read_status(request.service))

    async def _watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        last = None
        while True:
            is_last = self._stopping.is_set()
            status = self._read_status(request.service)
            if status != last:
                yield health_pb2.HealthCheckResponse(status=status)
                last = status
            if is_last:
                return
            try:
                await asyncio.wait_for(self._stopping.wait(), _POLL_SECONDS)
            except asyncio.TimeoutError:
                continue

    def _read_status(self, service: str) -> Any:
        if service not in SERVICES:
            return health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        is_serving = self._is_ready() and not self._stopping.is_set()
        response = health_pb2.HealthCheckResponse
        return response.SERVING if is_serving else response.NOT_SERVING
