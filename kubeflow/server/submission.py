"""What submitting and scheduling share: options, the recipe, the compiled version, errors."""

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from darkroom.components.errors import ComponentError
from darkroom.kubeflow.compile import check_recipe, compile_recipe
from darkroom.kubeflow.parameters import override_recipe
from darkroom.kubeflow.pipeline_root import check_root
from darkroom.kubeflow.server.access import ApiError, RefusedError, read_access
from darkroom.kubeflow.server.api import Api, Job
from darkroom.kubeflow.server.rest import PATIENCE, Patience, Rest
from darkroom.recipe import ConfigError, Recipe, load_recipe
from darkroom.recipe.overrides import read_assignments
from darkroom.runner.interpreter import quiet
from darkroom.storage.errors import StorageError

EXIT_FAILED: Final = 1
EXIT_REFUSED: Final = 2
EXIT_INTERRUPTED: Final = 130
_ACCESS_HELP: Final = (
    "Credentials come from the environment: KFP_TOKEN, or KFP_TOKEN_FILE, which is read anew for "
    "each request, or KFP_COOKIE."
)


@dataclass(frozen=True)
class Plan:
    """What the command line asks for.

    Attributes:
        recipe: The recipe as it is in its file; this is what is compiled.
        changed: The recipe with the values of `--set`; these become the run's arguments.
        service_account: Of the pods, or an empty string.
    """

    recipe: Recipe
    changed: Recipe
    image: str
    root: str
    experiment: str
    service_account: str


def create_parser(description: str, epilog: str) -> argparse.ArgumentParser:
    """Returns a parser with the options that concern the server."""
    parser = argparse.ArgumentParser(description=description, epilog=f"{epilog} {_ACCESS_HELP}")
    parser.add_argument("--host", required=True, help="address of Kubeflow Pipelines")
    parser.add_argument("--namespace", default="", help="your namespace, on a server of several")
    parser.add_argument(
        "--ca", default="", help="certificates to trust, in PEM (else $KFP_CA_CERT)"
    )
    parser.add_argument("--config", default="configs/digits.yaml", help="the recipe")
    parser.add_argument("--experiment", default="", help="its name (else that of the recipe)")
    return parser


def add_job_options(parser: argparse.ArgumentParser, is_required: bool = True) -> None:
    """Adds the options that say what a run is to do."""
    parser.add_argument(
        "--image", required=is_required, help="container image with this project in it"
    )
    parser.add_argument(
        "--root", required=is_required, help="pipeline root, such as s3://bucket/digits"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="another value for a field of the recipe, such as trainer.seed=3",
    )
    parser.add_argument(
        "--service-account", default="", help="Kubernetes service account of the steps"
    )


def read_plan(options: argparse.Namespace) -> Plan:
    """Reads the recipe and the values given for it; ConfigError where something does not do."""
    check_root(options.root)
    recipe = load_recipe(Path(options.config))
    changed = override_recipe(recipe, read_assignments(options.set))
    check_recipe(changed, options.image, options.root)
    return Plan(
        recipe,
        changed,
        options.image,
        options.root,
        options.experiment or recipe.name,
        options.service_account,
    )


def connect(
    options: argparse.Namespace,
    patience: Patience = PATIENCE,
    deadline: float = float("inf"),
) -> Api:
    """Connects to the server; ApiError where it is none."""
    rest = Rest(read_access(options.host, options.ca, os.environ), patience, deadline)
    api = Api(rest, options.namespace)
    api.check()
    return api


def prepare(api: Api, plan: Plan, arguments: dict[str, Any], fingerprinted: bool) -> Job:
    """Compiles the recipe, uploads it unless it is there, and finds the experiment.

    Args:
        fingerprinted: As for `compile_recipe`.

    Raises:
        ConfigError: The recipe cannot be compiled.
        ApiError: A request failed, in the end.
    """
    say(f"compiling  {plan.recipe.name}")
    with quiet():
        compiled = compile_recipe(plan.recipe, plan.image, plan.root, fingerprinted=fingerprinted)
    content = compiled.to_yaml().encode()
    name = f"{plan.recipe.name}-{hashlib.sha256(content).hexdigest()[:12]}"
    version = api.ensure_version(plan.recipe.name, name, content)
    say(f"pipeline   {version.name}, " + ("uploaded" if version.is_new else "there already"))
    experiment = api.ensure_experiment(plan.experiment)
    return Job(experiment, version, arguments, plan.root, plan.service_account)


def say(line: str) -> None:
    """Prints one line at once, as logs of continuous integration want it."""
    print(line, flush=True)


def run_command(command: Callable[[], int]) -> int:
    """Runs a command; turns errors into one line and an exit code.

    Returns:
        The command's code, 2 where the configuration or the server refuses, 1 where the server
        gives no good answer.
    """
    try:
        return command()
    except (ConfigError, ComponentError, StorageError, RefusedError) as error:
        code, message = EXIT_REFUSED, str(error)
    except (ApiError, OSError) as error:
        code, message = EXIT_FAILED, str(error)
    except KeyboardInterrupt:
        code, message = EXIT_INTERRUPTED, "interrupted"
    print(f"error: {message}", file=sys.stderr)
    return code


def find_deadline(timeout: float | None) -> float:
    """Returns `time.monotonic` so many seconds from now; ConfigError if they are not positive."""
    if timeout is None:
        return float("inf")
    if not timeout > 0:
        raise ConfigError(f"--timeout: {timeout:g} is not positive; give seconds, such as 3600")
    return time.monotonic() + timeout
