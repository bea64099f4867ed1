"""The command line: `tensorflow_model_server`'s flags, by the same names and meanings.

Two meanings are this server's own: port 0 takes a free port, where TensorFlow Serving serves
nothing on it; and `--host`, `--port_file` and `--drain_seconds` are not TensorFlow Serving's.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, NoReturn

from pydantic import ValidationError

from serving.model_server.config import ServerConfig

IGNORED_FLAGS: Final = (
    "allow_version_labels_for_unavailable_models",
    "batching_parameters_file",
    "enable_batching",
    "enable_grpc_healthcheck_service",
    "enable_per_model_batching_parameters",
    "enable_profiler",
    "enable_serialization_as_tensor_content",
    "enable_signature_method_name_check",
    "flush_filesystem_caches",
    "grpc_channel_arguments",
    "grpc_socket_path",
    "mixed_precision",
    "model_config_file_poll_wait_seconds",
    "monitoring_config_file",
    "num_load_threads",
    "num_request_iterations_for_warmup",
    "num_tflite_interpreters_per_pool",
    "num_tflite_pools",
    "num_unload_threads",
    "per_process_gpu_memory_fraction",
    "platform_config_file",
    "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph",
    "rest_api_enable_cors_support",
    "saved_model_tags",
    "skip_initialize_tpu",
    "ssl_config_file",
    "tensorflow_inter_op_parallelism",
    "tensorflow_intra_op_parallelism",
    "tensorflow_session_config_file",
    "tensorflow_session_parallelism",
    "thread_pool_factory_config_file",
    "use_alts_credentials",
    "use_tflite_model",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
)
"""Flags of TensorFlow Serving that this server accepts and does not follow."""


class FlagError(Exception):
    """A command line that is refused; the message is one line for the user."""


@dataclass(frozen=True)
class CommandLine:
    """A command line, read.

    Attributes:
        config: The server's configuration.
        port_file: Where to write the bound ports.
        warnings: One line for each flag that is accepted and not followed.
    """

    config: ServerConfig
    port_file: Path | None
    warnings: tuple[str, ...]


def parse_flags(arguments: Sequence[str]) -> CommandLine:
    """Reads a command line.

    Raises:
        FlagError: An unknown flag, a value that does not fit, or no model.
        SystemExit: `--help` or `--version`, which print and end with 0.
    """
    values = _create_parser().parse_args(arguments)
    if values.model_config_file:
        raise FlagError(
            "--model_config_file is not supported yet; use --model_name and --model_base_path"
        )
    if not values.model_base_path:
        raise FlagError("--model_base_path is missing; give the folder that holds 1/, 2/, …")
    given = [name for name in IGNORED_FLAGS if getattr(values, name) is not None]
    warnings = tuple(f"--{name} is accepted, but this server does not follow it" for name in given)
    return CommandLine(_create_config(values), values.port_file, warnings)


def _create_config(values: argparse.Namespace) -> ServerConfig:
    try:
        return ServerConfig(
            model_name=values.model_name,
            model_base_path=values.model_base_path,
            host=values.host,
            rest_port=values.rest_api_port,
            grpc_port=values.port,
            rest_api_timeout_in_ms=values.rest_api_timeout_in_ms,
            rest_api_num_threads=values.rest_api_num_threads,
            grpc_max_threads=values.grpc_max_threads,
            file_system_poll_wait_seconds=values.file_system_poll_wait_seconds,
            max_num_load_retries=values.max_num_load_retries,
            load_retry_interval_seconds=max(values.load_retry_interval_micros, 0) / 1e6,
            enable_model_warmup=values.enable_model_warmup,
            drain_seconds=values.drain_seconds,
        )
    except ValidationError as error:
        raise FlagError(describe_first_error(error)) from None


_FLAG_OF_FIELD: Final = {"grpc_port": "port", "rest_port": "rest_api_port"}


def describe_first_error(error: ValidationError) -> str:
    """Returns the first problem of a configuration as one line that names flag and value."""
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    field = str(first["loc"][0])
    return f"--{_FLAG_OF_FIELD.get(field, field)}={first['input']}: {message}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise FlagError(message)


class _ShowVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"Darkroom ModelServer: {_find_version('darkroom')}")
        print(f"TensorFlow Library: {_find_version('tensorflow')}")
        parser.exit()


def _find_version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _create_parser() -> _Parser:
    parser = _Parser(
        prog="python -m serving.model_server",
        description="Serves a SavedModel over TensorFlow Serving's REST and gRPC API.",
        allow_abbrev=False,
    )
    _add_model_flags(parser)
    _add_network_flags(parser)
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show versions and exit")
    for name in IGNORED_FLAGS:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    return parser


def _add_model_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model_name", default="default", help="name of the model (default: %(default)s)")
    add("--model_base_path", help="folder of the version folders; required")
    add("--model_config_file", help=argparse.SUPPRESS)
    add(
        "--file_system_poll_wait_seconds",
        type=float,
        default=1.0,
        help="seconds between two looks at the folder; 0 looks once (default: %(default)s)",
    )
    add(
        "--max_num_load_retries",
        type=int,
        default=5,
        help="how often to try again after a failed load (default: %(default)s)",
    )
    add(
        "--load_retry_interval_micros",
        type=int,
        default=60_000_000,
        help="microseconds between these tries (default: %(default)s)",
    )
    add(
        "--enable_model_warmup",
        type=_parse_bool,
        nargs="?",
        const=True,
        default=True,
        help="replay a version's warm-up requests before serving it (default: true)",
    )


def _add_network_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--host",
        default="127.0.0.1",
        help="address to bind; 0.0.0.0 for all (default: %(default)s)",
    )
    add(
        "--port",
        type=int,
        default=8500,
        help="gRPC port; 0 takes a free one (default: %(default)s)",
    )
    add("--rest_api_port", type=int, help="REST port; 0 takes a free one (default: no REST)")
    add(
        "--rest_api_timeout_in_ms",
        type=int,
        default=30_000,
        help="milliseconds until a REST request is answered 504 (default: %(default)s)",
    )
    add("--rest_api_num_threads", type=int, help="REST requests at a time (default: 4 per CPU)")
    add("--grpc_max_threads", type=int, help="gRPC requests at a time (default: 4 per CPU)")
    add(
        "--drain_seconds",
        type=int,
        default=30,
        help="seconds that requests get to end when the server stops (default: %(default)s)",
    )
    add("--port_file", type=Path, help="write the bound ports there, as JSON")


def _parse_bool(text: str) -> bool:
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
