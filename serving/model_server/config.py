"""Configuration of one model server."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Port = Annotated[int, Field(ge=0, le=65535)]


class ServerConfig(BaseModel):
    """What to serve, where, and how to follow new versions.

    Args:
        model_name: Name of the model in URLs and requests.
        model_base_path: Folder of the version folders (`1/`, `2/`, …). It may be empty, or not be
            there yet: versions are served once they appear.
        host: Address to bind. There is no authentication, so the default is this machine only;
            TensorFlow Serving binds every address (`0.0.0.0`).
        rest_port: TCP port of the REST API; 0 takes a free one, None serves no REST.
        grpc_port: TCP port of the gRPC API; 0 takes a free one, None serves no gRPC.
        rest_api_timeout_in_ms: Milliseconds until a REST request is answered 504; 0 or less waits
            for ever.
        rest_api_num_threads: Threads that answer REST requests; None takes 4 per CPU.
        grpc_max_threads: Threads that answer gRPC requests; None takes 4 per CPU.
        file_system_poll_wait_seconds: Seconds between two looks at the folder; 0 looks once.
        max_num_load_retries: How often to try again after a failed load.
        load_retry_interval_seconds: Seconds between these tries.
        enable_model_warmup: Whether to replay a version's warm-up requests before it is served.
        drain_seconds: How long a stopping server waits for requests that it has begun to answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_name: str = Field(default="default", min_length=1)
    model_base_path: Path
    host: str = Field(default="127.0.0.1", min_length=1)
    rest_port: Port | None = 0
    grpc_port: Port | None = 0
    rest_api_timeout_in_ms: int = 30_000
    rest_api_num_threads: int | None = Field(default=None, ge=1)
    grpc_max_threads: int | None = Field(default=None, ge=1)
    file_system_poll_wait_seconds: float = Field(default=1.0, ge=0)
    max_num_load_retries: int = Field(default=5, ge=0)
    load_retry_interval_seconds: float = Field(default=60.0, ge=0)
    enable_model_warmup: bool = True
    drain_seconds: int = Field(default=30, ge=0)

    @field_validator("model_name")
    @classmethod
    def _check_model_name(cls, name: str) -> str:
        if "/" in name or ":" in name:
            raise ValueError(
                f"model_name {name!r} has '/' or ':', which URLs cannot carry; use another name"
            )
        return name

    @model_validator(mode="after")
    def _check_ports(self) -> "ServerConfig":
        if self.rest_port is None and self.grpc_port is None:
            raise ValueError("rest_port and grpc_port are both None; set at least one")
        if self.rest_port and self.rest_port == self.grpc_port:
            raise ValueError(
                f"rest_port and grpc_port are both {self.rest_port}; use two different ports"
            )
        return self
