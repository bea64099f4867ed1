"""The gRPC method that gives the server another configuration."""

from typing import Any

from tensorflow_serving.apis import model_management_pb2

from serving.model_server.core import ServerCore
from serving.model_server.errors import InvalidArgument


async def reload_config(core: ServerCore, request: Any) -> Any:
    """Answers a `ReloadConfigRequest` once the models that it adds are AVAILABLE.

    That has by how much the metrics which the request names have increased meanwhile; names that
    are unknown have not, as in TensorFlow Serving.

    Raises:
        InvalidArgument: The configuration is no list of models.
        StatusError: As `ServerCore.reload`.
    """
    if request.config.WhichOneof("config") != "model_config_list":
        raise InvalidArgument(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    before = {name: core.metrics.read_count(name) for name in request.metric_names}
    await core.reload(request.config)
    response = model_management_pb2.ReloadConfigResponse()
    response.status.SetInParent()
    for name, count in before.items():
        increase = core.metrics.read_count(name) - count
        response.metric.add(name=name, int64_value_increase=increase)
    return response
