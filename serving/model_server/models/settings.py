"""What a `ModelServerConfig` says of each model, checked as TensorFlow Serving does."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from darkroom.serving import protos
from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.models.versions import VersionPolicy
from darkroom.serving.model_server.operations.request_log import check_logging_config

PLATFORM: Final = "tensorflow"
_CONFIG: Final = "tensorflow.serving.ModelServerConfig"
_MODEL_TYPE_TENSORFLOW: Final = 1
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class ModelSettings:
    """One model of a configuration.

    Attributes:
        base_path: Folder of the version folders, absolute.
        labels: Label to version number.
        logging_config: Its `LoggingConfig` message; None if it has none.
    """

    name: str
    base_path: Path
    versions: VersionPolicy = field(default_factory=VersionPolicy)
    labels: Mapping[str, int] = field(default_factory=dict)
    logging_config: Any = None


def create_config(model_name: str, base_path: Path) -> Any:
    """Returns the `ModelServerConfig` of one model whose newest version is served.

    A relative path is taken from the working directory.
    """
    message = protos.message_class(_CONFIG)()
    message.model_config_list.config.add(
        name=model_name, base_path=str(base_path.absolute()), model_platform=PLATFORM
    )
    return message


def copy_config(message: Any) -> Any:
    """Returns a `ModelServerConfig` as a message of this package's own class."""
    return protos.message_class(_CONFIG).FromString(message.SerializeToString())


def read_settings(message: Any, served: Collection[str] = ()) -> dict[str, ModelSettings]:
    """Returns what a `ModelServerConfig` with a list of models says, by model name.

    Raises:
        InvalidArgument: It contradicts itself, or asks for what this server cannot do.
    """
    settings: dict[str, ModelSettings] = {}
    for config in message.model_config_list.config:
        if config.name in settings:
            raise InvalidArgument(
                f"Illegal to list model {config.name} multiple times in config list"
            )
        _check_name(config.name)
        _check_platform(config, served)
        settings[config.name] = ModelSettings(
            config.name,
            _read_base_path(config),
            _read_policy(config.model_version_policy),
            dict(config.version_labels),
            _read_logging_config(config),
        )
    return settings


def _read_logging_config(config: Any) -> Any:
    if not config.HasField("logging_config"):
        return None
    check_logging_config(config.name, config.logging_config)
    return config.logging_config


def _check_name(name: str) -> None:
    if not name:
        raise InvalidArgument("a model has no name; set config.name")
    if "/" in name or ":" in name:
        raise InvalidArgument(
            f"model name {name!r} has '/' or ':', which URLs cannot carry; use another name"
        )


def _check_platform(config: Any, served: Collection[str]) -> None:
    platform, kind = config.model_platform, config.model_type
    if bool(platform) == bool(kind):
        words = ("both", "and") if kind else ("neither", "nor")
        raise InvalidArgument(
            f"Illegal setting {words[0]} ModelServerConfig::model_type (deprecated) {words[1]} "
            f"ModelServerConfig::model_platform, model name is {config.name}"
        )
    if kind not in (0, _MODEL_TYPE_TENSORFLOW):
        raise InvalidArgument(f"ModelServerConfig::model_type choice {kind} not supported.")
    if platform not in ("", PLATFORM):
        if config.name in served:
            raise InvalidArgument(
                f"Illegal to change a model's platform. For model {config.name} platform was "
                f"{PLATFORM} and new platform requested is {platform}"
            )
        raise InvalidArgument(f"Model {config.name} requests unsupported platform {platform}")


def _read_base_path(config: Any) -> Path:
    text = config.base_path
    if _SCHEME.match(text):
        scheme, host, path, *_ = urlsplit(text)
        if scheme != "file" or host:
            raise InvalidArgument(
                f"model {config.name}: this server reads local folders only; got base_path()={text}"
            )
        text = path
    if not text.startswith("/"):
        raise InvalidArgument(
            f"Expected model {config.name} to have an absolute path or URI; "
            f"got base_path()={config.base_path}"
        )
    return Path(text)


def _read_policy(policy: Any) -> VersionPolicy:
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return VersionPolicy(None)
    if choice == "specific":
        return VersionPolicy(None, frozenset(policy.specific.versions))
    return VersionPolicy(max(policy.latest.num_versions, 1))
