"""The server's command line."""

from importlib import metadata
from pathlib import Path

import pytest

from darkroom.serving.model_server.__main__ import main
from darkroom.serving.model_server.flags import IGNORED_FLAGS, FlagError, parse_flags

BASE = ["--model_base_path=models/digits"]


def test_defaults_are_tensorflow_servings():
    config = parse_flags(BASE).config
    assert config.model_name == "default"
    assert (config.grpc_port, config.rest_port) == (8500, None)
    assert config.rest_api_timeout_in_ms == 30_000
    assert config.file_system_poll_wait_seconds == 1
    assert (config.max_num_load_retries, config.load_retry_interval_seconds) == (5, 60)
    assert config.enable_model_warmup
    assert config.host == "127.0.0.1"


def test_flags_reach_the_configuration(tmp_path):
    command_line = parse_flags(
        [
            *BASE, "--model_name", "digits", "--port=0", "--rest_api_port=8501",
            "--rest_api_timeout_in_ms=5", "--file_system_poll_wait_seconds=0.5",
            "--max_num_load_retries=2", "--load_retry_interval_micros=500000",
            "--enable_model_warmup=false", "--host=0.0.0.0", "--drain_seconds=3",
            "--rest_api_num_threads=7", "--grpc_max_threads=6",
            f"--port_file={tmp_path / 'ports'}",
        ]
    )  # fmt: skip
    assert command_line.config.model_dump(exclude_unset=True, exclude={"model_base_path"}) == {
        "model_name": "digits", "host": "0.0.0.0", "rest_port": 8501, "grpc_port": 0,
        "rest_api_timeout_in_ms": 5, "rest_api_num_threads": 7, "grpc_max_threads": 6,
        "file_system_poll_wait_seconds": 0.5, "max_num_load_retries": 2,
        "load_retry_interval_seconds": 0.5, "enable_model_warmup": False, "drain_seconds": 3,
    }  # fmt: skip
    assert command_line.port_file == tmp_path / "ports"
    assert command_line.warnings == ()


@pytest.mark.parametrize("name", IGNORED_FLAGS)
@pytest.mark.parametrize("form", ["--{}", "--{}=true", "--{}=x.config"])
def test_flag_of_tensorflow_serving_that_is_not_followed_is_named(name, form):
    command_line = parse_flags([*BASE, form.format(name)])
    assert command_line.warnings == (f"--{name} is accepted, but this server does not follow it",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*BASE, "--bogus=1"], "unrecognized arguments: --bogus=1"),
        ([*BASE, "--model_nam=x"], "unrecognized arguments: --model_nam=x"),
        ([*BASE, "--port=x"], "argument --port: invalid int value: 'x'"),
        ([*BASE, "--port=70000"], "--port=70000: Input should be less than or equal to 65535"),
        ([*BASE, "--rest_api_port=8500"], "rest_port and grpc_port are both 8500"),
        ([*BASE, "--enable_model_warmup=maybe"], "'maybe' is neither true nor false"),
        ([*BASE, "--model_name=a:b"], "has '/' or ':'"),
        ([], "give either model_base_path"),
        ([*BASE, "-model_name=x"], "unrecognized arguments: -model_name=x"),
        ([*BASE, "--noenable_batching"], "unrecognized arguments: --noenable_batching"),
        ([*BASE, "models/digits"], "unrecognized arguments: models/digits"),
        (["--model_base_path="], "give either model_base_path"),
        ([*BASE, "--num_load_threads=-1"], "--num_load_threads=-1: "),
        (
            [*BASE, "--force_allow_any_version_labels_for_unavailable_models"],
            "unrecognized arguments: --force_allow",
        ),
        ([*BASE, "--batching_parameters_file=b"], "batching_parameters_file needs enable_batching"),
        ([*BASE, "--client_timeout_seconds=-1"], "--client_timeout_seconds=-1.0: "),
    ],
)
def test_refused_command_line_is_one_line_and_exit_code_2(arguments, message, capsys):
    with pytest.raises(FlagError) as caught:
        parse_flags(arguments)
    assert message in str(caught.value)
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1 and message in output.err


def test_configuration_file_prevails_over_the_model_that_the_image_names():
    """The tensorflow/serving image always gives name and path, before the user's flags."""
    arguments = ["--model_name=model", "--model_base_path=/models/model"]
    command_line = parse_flags([*arguments, "--model_config_file=/models/models.config"])
    assert command_line.config.model_config_file == Path("/models/models.config")
    assert command_line.config.model_base_path is None
    assert command_line.warnings == (
        "--model_name is ignored, as --model_config_file is given",
        "--model_base_path is ignored, as --model_config_file is given",
    )
    command_line = parse_flags([*arguments, "--model_config_file=", "--ssl_config_file="])
    assert command_line.config.model_base_path == Path("/models/model")
    assert command_line.config.ssl_config_file is None and command_line.warnings == ()


def test_last_of_two_values_counts_and_bare_boolean_is_true():
    config = parse_flags(
        [*BASE, "--port=1", "--port=2", "--allow_version_labels_for_unavailable_models",
         "--enable_batching=TRUE", "--enable_model_warmup=0", "--num_load_threads=3",
         "--model_config_file_poll_wait_seconds=7", "--load_retry_interval_micros=-1"]
    ).config  # fmt: skip
    assert config.grpc_port == 2
    assert config.allow_version_labels_for_unavailable_models and config.enable_batching
    assert not config.enable_model_warmup
    assert (config.num_load_threads, config.model_config_file_poll_wait_seconds) == (3, 7)
    assert config.load_retry_interval_seconds == 0


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        parse_flags(["--version"])
    assert caught.value.code == 0
    assert f"TensorFlow Library: {metadata.version('tensorflow')}" in capsys.readouterr().out


def test_help_names_the_flags(capsys):
    with pytest.raises(SystemExit) as caught:
        parse_flags(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "Own." not in text and "Address to bind. There is no auth" in text
    assert "--rest_api_port" in text and "--platform_config_file" not in text
