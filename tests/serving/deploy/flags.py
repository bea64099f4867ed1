"""What a container's flags say, checked to be flags of TensorFlow Serving's."""

from pathlib import PurePosixPath

from darkroom.serving.model_server.flags import OWN_FLAGS, parse_flags
from darkroom.serving.protos.text_files import parse_text


def read_flags(arguments):
    """Returns the server's configuration; refuses flags that TensorFlow Serving has not."""
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        assert value, f"{argument}: give each value with '='"
        assert name not in OWN_FLAGS, f"{argument} is not TensorFlow Serving's"
    return parse_flags(arguments).config


def files_named_by(config):
    """Returns the configuration files that the flags name."""
    named = (
        config.model_config_file, config.batching_parameters_file, config.monitoring_config_file,
    )  # fmt: skip
    return [PurePosixPath(path) for path in named if path]


def value_of(arguments, flag):
    [value] = [
        argument.partition("=")[2] for argument in arguments if argument.startswith(f"--{flag}=")
    ]
    return value


def parse_models(text):
    return parse_text(text, "ModelServerConfig", "models.config").model_config_list.config


def parse_batching(text):
    return parse_text(text, "BatchingParameters", "batching.config")


def parse_monitoring(text):
    return parse_text(text, "MonitoringConfig", "monitoring.config")
