"""The command line: `tensorflow_model_server`'s flags, by the same names and meanings.

Two meanings are this server's own: port 0 takes a free port, where TensorFlow Serving serves
nothing on it; and the flags listed in `OWN_FLAGS` are not TensorFlow Serving's.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from pydantic import ValidationError

from serving.model_server.config import ServerConfig

IGNORED_FLAGS: Final = (
    "enable_profiler",
    "enable_serialization_as_tensor_content",
    "flush_filesystem_caches",
    "mixed_precision",
    "num_tflite_interpreters_per_pool",
    "num_tflite_pools",
    "num_unload_threads",
    "platform_config_file",
    "remove_unused_fields_from_bundle_metagraph",
    "skip_initialize_tpu",
    "tensorflow_session_config_file",
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


def parse_bool(text: str) -> bool:
    """Reads a flag's value as TensorFlow Serving does."""
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _parse_path(text: str) -> Path | None:
    # TensorFlow Serving takes an empty path for none.
    return Path(text) if text else None


def _parse_tags(text: str) -> frozenset[str]:
    return frozenset(tag for tag in text.split(",") if tag)


def _parse_micros(text: str) -> float:
    return max(int(text), 0) / 1e6


class _Flag(NamedTuple):
    """One flag.

    Attributes:
        name: As on the command line.
        type: Reads the value.
        help: What it does; the default is added.
        field: Field of `ServerConfig`, where its name is another.
    """

    name: str
    type: Callable[[str], Any]
    help: str
    field: str = ""


_FLAGS: Final = {
    "models": (
        _Flag("model_name", str, "name of the model, without --model_config_file"),
        _Flag("model_base_path", _parse_path, "folder of its version folders, likewise"),
        _Flag("model_config_file", _parse_path, "ModelServerConfig as text, with all models"),
        _Flag(
            "model_config_file_poll_wait_seconds",
            float,
            "seconds between two looks at that file; 0 reads it once",
        ),
        _Flag(
            "allow_version_labels_for_unavailable_models",
            parse_bool,
            "whether a new label may name a version that is not available yet",
        ),
        _Flag("num_load_threads", int, "versions loaded at a time; 0 takes one per CPU"),
        _Flag(
            "file_system_poll_wait_seconds",
            float,
            "seconds between two looks at a model's folder; 0 looks once",
        ),
        _Flag("max_num_load_retries", int, "how often to try again after a failed load"),
        _Flag(
            "load_retry_interval_micros",
            _parse_micros,
            "microseconds between these tries",
            "load_retry_interval_seconds",
        ),
        _Flag("enable_model_warmup", parse_bool, "replay a version's warm-up requests first"),
        _Flag("num_request_iterations_for_warmup", int, "how often to replay each"),
        _Flag("saved_model_tags", _parse_tags, "tags of the graph to load, with commas between"),
        _Flag("prefer_tflite_model", parse_bool, "load model.tflite where there is one"),
        _Flag(
            "enable_signature_method_name_check",
            parse_bool,
            "classify and regress refuse signatures of another method name",
        ),
    ),
    "sessions": (
        _Flag("tensorflow_session_parallelism", int, "sets the next two, where neither is set"),
        _Flag("tensorflow_intra_op_parallelism", int, "threads for one op; 0 is automatic"),
        _Flag("tensorflow_inter_op_parallelism", int, "ops computed at a time; 0 is automatic"),
        _Flag("per_process_gpu_memory_fraction", float, "share of each GPU's memory, 0 to 1"),
    ),
    "batching": (
        _Flag("enable_batching", parse_bool, "put requests together into batches"),
        _Flag("batching_parameters_file", _parse_path, "BatchingParameters as text"),
        _Flag(
            "enable_per_model_batching_parameters",
            parse_bool,
            "take batching_params.pbtxt from the version folder instead",
        ),
    ),
    "network": (
        _Flag("port", int, "gRPC port; 0 takes a free one", "grpc_port"),
        _Flag("rest_api_port", int, "REST port; 0 takes a free one", "rest_port"),
        _Flag("grpc_socket_path", _parse_path, "unix socket for gRPC, besides the port"),
        _Flag("grpc_channel_arguments", str, "gRPC options, as name=value,name=value"),
        _Flag("grpc_max_threads", int, "gRPC requests computed at a time (4 per CPU)"),
        _Flag("rest_api_num_threads", int, "REST requests computed at a time (4 per CPU)"),
        _Flag("rest_api_timeout_in_ms", int, "milliseconds until a REST request gets a 504"),
        _Flag("rest_api_enable_cors_support", parse_bool, "let pages of other origins ask"),
        _Flag("ssl_config_file", _parse_path, "SSLConfig as text, for gRPC"),
    ),
    "operations": (
        _Flag("monitoring_config_file", _parse_path, "MonitoringConfig as text"),
        _Flag("enable_grpc_healthcheck_service", parse_bool, "serve gRPC's health service"),
    ),
    "not TensorFlow Serving's": (
        _Flag("host", str, "address to bind; 0.0.0.0 for all"),
        _Flag("enable_grpc_reflection", parse_bool, "serve gRPC's reflection service"),
        _Flag("max_request_bytes", int, "refuse larger requests; 64 MB by default"),
        _Flag("max_json_depth", int, "refuse REST requests that are nested more deeply"),
        _Flag("client_timeout_seconds", float, "close a connection that sends no whole request"),
        _Flag("access_log", parse_bool, "log each request as a line of JSON"),
        _Flag("request_log_max_bytes", int, "remove the oldest request logs beyond; 0 is no limit"),
        _Flag("request_log_max_days", float, "remove request logs that are older; 0 keeps all"),
        _Flag("drain_seconds", int, "seconds that requests get to end when the server stops"),
    ),
}
OWN_FLAGS: Final = (*(flag.name for flag in _FLAGS["not TensorFlow Serving's"]), "port_file")
_FIELD_OF_FLAG: Final = {
    flag.name: flag.field or flag.name for flags in _FLAGS.values() for flag in flags
}
_FLAG_OF_FIELD: Final = {field: name for name, field in _FIELD_OF_FLAG.items()}
_DEFAULTS: Final = {"grpc_port": 8500, "rest_port": None}
"""Where the command line's defaults are not those of `ServerConfig`."""


def parse_flags(arguments: Sequence[str]) -> CommandLine:
    """Reads a command line.

    Raises:
        FlagError: An unknown flag, a value that does not fit, or no model.
        SystemExit: `--help` or `--version`, which print and end with 0.
    """
    values = vars(_create_parser().parse_args(arguments))
    fields = dict(_DEFAULTS)
    fields |= {
        field: values[name] for name, field in _FIELD_OF_FLAG.items() if values[name] is not None
    }
    ignored = [name for name in ("model_name", "model_base_path") if name in fields]
    ignored = ignored if "model_config_file" in fields else []
    for name in ignored:
        del fields[name]
    try:
        config = ServerConfig.model_validate(fields)
    except ValidationError as error:
        raise FlagError(describe_first_error(error)) from None
    given = [name for name in IGNORED_FLAGS if values[name] is not None]
    warnings = [f"--{name} is accepted, but this server does not follow it" for name in given]
    warnings += [f"--{name} is ignored, as --model_config_file is given" for name in ignored]
    return CommandLine(config, values["port_file"], tuple(warnings))


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
        usage="%(prog)s --model_base_path=FOLDER [--FLAG=VALUE …]",
        description="Serves SavedModels over TensorFlow Serving's REST and gRPC API.",
        allow_abbrev=False,
    )
    for title, flags in _FLAGS.items():
        group = parser.add_argument_group(title)
        for flag in flags:
            _add_flag(group, flag)
    group.add_argument("--port_file", type=Path, help="write the bound ports there, as JSON")
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show versions and exit")
    for name in IGNORED_FLAGS:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    return parser


def _add_flag(group: Any, flag: _Flag) -> None:
    default = _describe_default(flag)
    options: dict[str, Any] = {
        "help": f"{flag.help} (default: {default})" if default else flag.help
    }
    if flag.type is parse_bool:
        options |= {"nargs": "?", "const": True}
    group.add_argument(f"--{flag.name}", type=flag.type, **options)


def _describe_default(flag: _Flag) -> str:
    field = flag.field or flag.name
    default = _DEFAULTS.get(field, ServerConfig.model_fields[field].default)
    if flag.type is _parse_micros:
        default = round(default * 1e6)
    if flag.type is _parse_tags:
        default = ",".join(sorted(default))
    return (
        ""
        if default in (None, "")
        else str(default).replace("False", "false").replace("True", "true")
    )
