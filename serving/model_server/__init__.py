"""The embedded model server: TensorFlow Serving's API where its binary is not at hand.

    from darkroom.serving.model_server import ModelServer, ServerConfig

    config = ServerConfig(model_name="digits", model_base_path="models/digits")
    with ModelServer(config) as server:
        server.wait_until_available(timeout_seconds=60)
        print(server.rest_port, server.grpc_port)

Importing this package does not import TensorFlow; starting a server does.
"""

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.errors import (
    ModelServerError,
    NotAvailableError,
    StartError,
    StartInterrupted,
    StatusError,
)
from darkroom.serving.model_server.models.statuses import State, VersionStatus
from darkroom.serving.model_server.server import ModelServer

__all__ = [
    "ModelServer",
    "ModelServerError",
    "NotAvailableError",
    "ServerConfig",
    "StartError",
    "StartInterrupted",
    "State",
    "StatusError",
    "VersionStatus",
]
