"""The command line: `tensorflow_model_server`'s flags, by the same names and meanings.

Two meanings are this server's own: port 0 takes a free port, where TensorFlow Serving serves
nothing on it; and the flags listed in `OWN_FLAGS` are not TensorFlow Serving's.
"""

import argparse
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NoReturn, get_args, get_type_hints

from pydantic import ValidationError

from darkroom.serving.model_server.config import ServerConfig, find_first_problem

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


_GROUPS: Final = {
    "model_name": "models",
    "enable_batching": "batching",
    "tensorflow_session_parallelism": "sessions",
    "rest_port": "network",
    "monitoring_config_file": "operations",
    "host": "not TensorFlow Serving's",
}
"""Titles of `--help`, by the field of `ServerConfig` that comes first below each."""
_FLAG_OF_FIELD: Final = {field: field for field in ServerConfig.model_fields} | {
    "grpc_port": "port",
    "rest_port": "rest_api_port",
    "load_retry_interval_seconds": "load_retry_interval_micros",
}
_OWN_FIELDS: Final = list(_FLAG_OF_FIELD)[list(_FLAG_OF_FIELD).index("host") :]
OWN_FLAGS: Final = (*_OWN_FIELDS, "port_file")
_HELP: Final = dict(
    re.findall(r"^ +(\w+): ((?:.|\n {8})*)", inspect.getdoc(ServerConfig) or "", re.M)
)
_TYPES: Final = get_type_hints(ServerConfig)
_READERS: Final[dict[Any, Callable[[str], Any]]] = {
    "saved_model_tags": _parse_tags,
    "load_retry_interval_seconds": _parse_micros,
    bool: parse_bool,
    Path: _parse_path,
}
"""How values are read, by field or by type; other types read them themselves."""
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
        field: values[name] for field, name in _FLAG_OF_FIELD.items() if values[name] is not None
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
    field, value, message = find_first_problem(error)
    return f"--{_FLAG_OF_FIELD.get(field, field)}={value}: {message}" if field else message


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
        prog="python -m darkroom.serving.model_server",
        usage="%(prog)s --model_base_path=FOLDER [--FLAG=VALUE …]",
        description="Serves SavedModels over TensorFlow Serving's REST and gRPC API.",
        allow_abbrev=False,
    )
    group: Any = parser
    for field, name in _FLAG_OF_FIELD.items():
        if field in _GROUPS:
            group = parser.add_argument_group(_GROUPS[field])
        _add_flag(group, field, name)
    group.add_argument("--port_file", type=Path, help="write the bound ports there, as JSON")
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show versions and exit")
    for name in IGNORED_FLAGS:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    return parser


def _add_flag(group: Any, field: str, name: str) -> None:
    kind = next(iter(get_args(_TYPES[field])), _TYPES[field])
    read = _READERS.get(field) or _READERS.get(kind, kind)
    default = _describe_default(field)
    text = " ".join(_HELP.get(field, "").removeprefix("Own. ").removesuffix(".").split())
    options: dict[str, Any] = {"nargs": "?", "const": True} if kind is bool else {}
    more = f" (default: {default})" if default else ""
    group.add_argument(f"--{name}", type=read, help=text + more, **options)


def _describe_default(field: str) -> str:
    default = _DEFAULTS.get(field, ServerConfig.model_fields[field].default)
    if field == "load_retry_interval_seconds":
        default = round(default * 1e6)
    if isinstance(default, frozenset):
        default = ",".join(sorted(default))
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)
