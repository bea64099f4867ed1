"""gRPC's reflection service, by which tools learn the API; imports TensorFlow."""

from collections.abc import Iterable
from typing import Any

from grpc_reflection.v1alpha import reflection

# Imported for the descriptors of the services, which these modules register.
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2

from serving.model_server.grpc_api.health import SERVICE_NAME as HEALTH

_NAMES = tuple(
    service.full_name
    for file in (prediction_service_pb2.DESCRIPTOR, model_service_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
)


def add_reflection(server: Any, has_health: bool) -> None:
    """Adds the service to a `grpc.aio` server.

    Args:
        server: Serves PredictionService and ModelService.
        has_health: Whether it serves the health service too.
    """
    names: Iterable[str] = (*_NAMES, reflection.SERVICE_NAME, *([HEALTH] if has_health else []))
    reflection.enable_server_reflection(names, server)
