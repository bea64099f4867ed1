"""gRPC's reflection service, by which tools learn the API."""

from typing import Any

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from darkroom.serving import protos
from darkroom.serving.model_server.grpc_api.health import SERVICE_NAME as HEALTH


def add_reflection(server: Any, has_health: bool) -> None:
    """Adds the service to the `grpc.aio` server of the API, and maybe of the health service."""
    names = [*protos.SERVICES, reflection.SERVICE_NAME, *([HEALTH] if has_health else [])]
    # Not the default pool: the modules that register the services there cannot be imported with
    # protobuf 6.
    pool = protos.load_pool()
    for module in (health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    reflection.enable_server_reflection(names, server, pool=pool)
