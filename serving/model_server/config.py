"""Configuration of one model server."""

from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ServerConfig(BaseModel):
    """What to serve, where, and how to follow new versions.

    Names are those of TensorFlow Serving's flags, but for `host`, `rest_port` and `grpc_port`; what
    TensorFlow Serving lacks is marked "own" and comes last. The command line's help is made of the
    texts below.

    Args:
        model_name: Name of the one model, in URLs and requests.
        model_base_path: Folder of the version folders (`1/`, `2/`, …). It may be empty, or not be
            there yet: versions are served once they appear.
        model_config_file: Text file of a `ModelServerConfig` with any number of models, instead
            of name and path.
        model_config_file_poll_wait_seconds: Seconds between two looks at that file; 0 reads it
            once.
        allow_version_labels_for_unavailable_models: Whether a label may name a version that is
            not available yet, where it names no other one already.
        num_load_threads: Versions that are loaded at a time; 0 takes one per CPU.
        file_system_poll_wait_seconds: Seconds between two looks at a model's folder; 0 looks once.
        max_num_load_retries: How often to try again after a failed load.
        load_retry_interval_seconds: Seconds between these tries; the flag has microseconds.
        enable_model_warmup: Whether to replay a version's warm-up requests before it is served.
        num_request_iterations_for_warmup: How often each of these is replayed.
        saved_model_tags: Tags of the graph to load; the flag has commas between them.
        prefer_tflite_model: Whether to load `model.tflite` where a version folder has one.
        enable_signature_method_name_check: Whether classify and regress refuse signatures whose
            method name says otherwise.
        enable_batching: Whether requests are put together into batches.
        batching_parameters_file: Text file of `BatchingParameters`.
        enable_per_model_batching_parameters: Whether `batching_params.pbtxt` in a version folder
            replaces those parameters.
        tensorflow_session_parallelism: Sets both of the next two, where neither is set.
        tensorflow_intra_op_parallelism: Threads that compute one op; 0 leaves it to TensorFlow.
        tensorflow_inter_op_parallelism: Ops that are computed at a time; likewise.
        per_process_gpu_memory_fraction: Share of each GPU's memory that this process takes, from 0
            (TensorFlow's choice) to 1.
        rest_port: TCP port of the REST API; 0 takes a free one, None serves no REST.
        grpc_port: TCP port of the gRPC API; 0 takes a free one, None serves no gRPC.
        grpc_socket_path: Unix socket on which the gRPC API is served as well.
        grpc_channel_arguments: Options of the gRPC server as `name=value,name=value`.
        grpc_max_threads: gRPC requests that are computed at a time; None takes 4 per CPU.
        rest_api_num_threads: REST requests that are computed at a time; None takes 4 per CPU.
        rest_api_timeout_in_ms: Milliseconds until a REST request is answered 504; 0 or less waits
            for ever.
        rest_api_enable_cors_support: Whether pages of other origins may ask.
        ssl_config_file: Text file of an `SSLConfig`, for the gRPC API.
        monitoring_config_file: Text file of a `MonitoringConfig`.
        enable_grpc_healthcheck_service: Whether to serve gRPC's health service.
        host: Own. Address to bind. There is no authentication, so the default is this machine
            only; TensorFlow Serving binds every address (`0.0.0.0`).
        enable_grpc_reflection: Own. Whether to serve gRPC's reflection service.
        max_request_bytes: Own. A request that is larger, decompressed, is refused.
        max_json_depth: Own. A REST request that is nested more deeply is refused.
        client_timeout_seconds: Own. A connection over which no whole REST request has come in
            this time, or whose client has not taken an answer, is closed; 0 waits for ever.
        access_log: Own. Whether each request is logged as one line of JSON.
        request_log_max_bytes: Own. Size of the request log's files on this machine, all together;
            the oldest are removed. 0 is no limit.
        request_log_max_days: Own. Days after its first record when such a file is removed; 0 keeps
            all.
        drain_seconds: Own. How long a stopping server waits for requests that it has begun to
            answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_name: str = Field(default="default", min_length=1)
    model_base_path: Path | None = None
    model_config_file: Path | None = None
    model_config_file_poll_wait_seconds: Seconds = 0.0
    allow_version_labels_for_unavailable_models: bool = False
    num_load_threads: int = Field(default=0, ge=0)
    file_system_poll_wait_seconds: Seconds = 1.0
    max_num_load_retries: int = Field(default=5, ge=0)
    load_retry_interval_seconds: Seconds = 60.0
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = Field(default=1, ge=1)
    saved_model_tags: frozenset[str] = frozenset({"serve"})
    prefer_tflite_model: bool = False
    enable_signature_method_name_check: bool = False

    enable_batching: bool = False
    batching_parameters_file: Path | None = None
    enable_per_model_batching_parameters: bool = False

    tensorflow_session_parallelism: int = Field(default=0, ge=0)
    tensorflow_intra_op_parallelism: int = Field(default=0, ge=0)
    tensorflow_inter_op_parallelism: int = Field(default=0, ge=0)
    per_process_gpu_memory_fraction: float = Field(default=0.0, ge=0, le=1)

    rest_port: Port | None = 0
    grpc_port: Port | None = 0
    grpc_socket_path: Path | None = None
    grpc_channel_arguments: str = ""
    grpc_max_threads: int | None = Field(default=None, ge=1)
    rest_api_num_threads: int | None = Field(default=None, ge=1)
    rest_api_timeout_in_ms: int = 30_000
    rest_api_enable_cors_support: bool = False
    ssl_config_file: Path | None = None

    monitoring_config_file: Path | None = None
    enable_grpc_healthcheck_service: bool = False

    host: str = Field(default="127.0.0.1", min_length=1)
    enable_grpc_reflection: bool = False
    max_request_bytes: int = Field(default=64 << 20, ge=1)
    max_json_depth: int = Field(default=200, ge=4)
    client_timeout_seconds: Seconds = 60.0
    access_log: bool = False
    request_log_max_bytes: int = Field(default=10 << 30, ge=0)
    request_log_max_days: float = Field(default=30.0, ge=0, le=36_500)
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
    def _check_together(self) -> "ServerConfig":
        if (self.model_base_path is None) == (self.model_config_file is None):
            raise ValueError(
                "give either model_base_path, the folder that holds 1/, 2/, …, or "
                "model_config_file, and not both"
            )
        if self.batching_parameters_file is not None and not self.enable_batching:
            raise ValueError("batching_parameters_file needs enable_batching")
        ops = self.tensorflow_intra_op_parallelism and self.tensorflow_inter_op_parallelism
        if ops and self.tensorflow_session_parallelism:
            raise ValueError(
                "tensorflow_session_parallelism is for tensorflow_intra_op_parallelism and "
                "tensorflow_inter_op_parallelism together; give it, or these"
            )
        if self.rest_port is None and self.grpc_port is None and self.grpc_socket_path is None:
            raise ValueError("rest_port and grpc_port are both None; set at least one")
        if self.rest_port and self.rest_port == self.grpc_port:
            raise ValueError(
                f"rest_port and grpc_port are both {self.rest_port}; use two different ports"
            )
        return self


def find_first_problem(error: ValidationError) -> tuple[str, object, str]:
    """Returns field, value and message of what pydantic refuses first; no field for all of it."""
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    return field, first["input"], first["msg"].removeprefix("Value error, ")
