"""Where Beam's work is done on the cluster: in the step itself, on Flink, or on Dataflow.

`beam_pipeline_args` of the recipe are Beam's own options; what would fail hours later, or run with
the wrong image, is refused before anything is submitted.
"""

import argparse
import contextlib
import io
from collections.abc import Sequence
from typing import Any, Final

from darkroom.recipe import ConfigError

DIRECT: Final = "DirectRunner"
_PORTABLE: Final = ("FlinkRunner", "PortableRunner")
_DATAFLOW: Final = "DataflowRunner"
RUNNERS: Final = (DIRECT, *_PORTABLE, _DATAFLOW)
"""The runners that are known to do; others are refused."""
_FIELD: Final = "beam_pipeline_args"


def is_remote(arguments: Sequence[str]) -> bool:
    """Whether Beam's workers run outside of the step's container.

    Those do not see the container's files, so artifacts keep the URIs that Kubeflow gave them. With
    the environment LOOPBACK the workers are processes of the step, whoever schedules them.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runner", default=DIRECT)
    parser.add_argument("--environment_type", default="")
    options, _ = parser.parse_known_args(list(arguments))
    if options.environment_type.upper() == "LOOPBACK" and _short(options.runner) in _PORTABLE:
        return False
    return _short(options.runner) != DIRECT


def check_beam_arguments(arguments: Sequence[str], image: str, root: str) -> None:
    """Refuses arguments with which a run on the cluster would fail.

    Args:
        image: The container image of the steps; Beam's workers need the same.

    Raises:
        ConfigError: One line names the option and the remedy.
    """
    if not arguments:
        return
    options = _parse(arguments)
    runner = _short(options["runner"] or DIRECT)
    if runner not in RUNNERS:
        raise _refusal("runner", options["runner"], f"use one of {', '.join(RUNNERS)}")
    if runner in _PORTABLE:
        _check_portable(runner, options, image, root)
    if runner == _DATAFLOW:
        _check_dataflow(options, image, root)


def _parse(arguments: Sequence[str]) -> dict[str, Any]:
    """What Beam makes of the arguments."""
    from apache_beam.options.pipeline_options import PipelineOptions

    strange = [each for each in arguments if each in ("-h", "--help") or not each.strip()]
    if strange:
        raise ConfigError(f"{_FIELD}: {strange[0]!r} is no option of a run; remove it")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            known = PipelineOptions([]).get_all_options()
            given = PipelineOptions(list(arguments)).get_all_options(retain_unknown_options=True)
    except SystemExit as error:
        message = said.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        raise ConfigError(f"{_FIELD}: Beam refuses them: {message}; see Beam's options") from error
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise _refusal(unknown[0], given[unknown[0]], "Beam has no such option; remove it")
    return given


def _check_portable(runner: str, options: dict[str, Any], image: str, root: str) -> None:
    if runner == "PortableRunner" and not _is_address(options["job_endpoint"]):
        raise _refusal(
            "job_endpoint", options["job_endpoint"], "give host:port of the Beam job server"
        )
    if runner == "FlinkRunner":
        _check_flink(options)
    kind = (options["environment_type"] or "").upper()
    if kind not in ("DOCKER", "EXTERNAL", "LOOPBACK"):
        raise _refusal(
            "environment_type",
            options["environment_type"],
            "set it to EXTERNAL (a worker pool of this image beside Flink's task managers), DOCKER "
            "or LOOPBACK (workers in the step itself)",
        )
    place = options["environment_config"]
    if kind == "DOCKER" and place != image:
        raise _refusal("environment_config", place, f"DOCKER needs the steps' image, {image}")
    if kind == "EXTERNAL" and not _is_address(place):
        raise _refusal("environment_config", place, "EXTERNAL needs host:port of the worker pool")
    if kind != "LOOPBACK" and not root.startswith("gs://"):
        raise _refusal(
            "environment_type",
            options["environment_type"],
            f"these workers cannot reach the root {root}; take a root on gs://, or LOOPBACK",
        )


def _check_flink(options: dict[str, Any]) -> None:
    if not _is_address(options["flink_master"].removeprefix("http://")):
        raise _refusal(
            "flink_master",
            options["flink_master"],
            "give host:port of Flink's REST service; Beam's default would start a Flink in the "
            "step's container, which has no Java",
        )
    if not options["flink_submit_uber_jar"]:
        raise ConfigError(
            f"{_FIELD}: --flink_submit_uber_jar is missing; add it, because the step's container "
            "has no Java to run Beam's job server, or use PortableRunner with a --job_endpoint"
        )


def _check_dataflow(options: dict[str, Any], image: str, root: str) -> None:
    for name in ("project", "region"):
        if not options[name]:
            raise _refusal(name, options[name], "Dataflow needs it; add it")
    location = options["temp_location"]
    if not (location or "").startswith("gs://"):
        raise _refusal("temp_location", location, "Dataflow needs a folder on gs://")
    if options["sdk_container_image"] != image:
        raise _refusal(
            "sdk_container_image",
            options["sdk_container_image"],
            f"Dataflow's workers need the steps' image, {image}",
        )
    if not root.startswith("gs://"):
        raise _refusal(
            "runner", _DATAFLOW, f"its workers cannot reach the root {root}; take a root on gs://"
        )


def _short(runner: str) -> str:
    """`FlinkRunner` of however the runner is written: Beam takes dotted paths and any case."""
    name = runner.rpartition(".")[2]
    spelled = {known.lower(): known for known in RUNNERS}
    return spelled.get(name.lower(), spelled.get(f"{name.lower()}runner", name))


def _is_address(value: str | None) -> bool:
    host, _, port = (value or "").rpartition(":")
    return bool(host) and port.isdigit() and "/" not in host


def _refusal(option: str, value: object, remedy: str) -> ConfigError:
    received = "is missing" if value in (None, "", False) else f"{value!r} does not do"
    return ConfigError(f"{_FIELD}: --{option} {received}: {remedy}")
