"""Runs the compiled pipeline in local containers, one a step, through KFP's own DockerRunner.

Usage:
    python -m kubeflow.local --config configs/digits.yaml --image darkroom:latest
        [--set trainer.seed=3] [--gpus]

The pipeline is compiled and driven within the image, which has the SDK that can run pipelines in
containers (`kubeflow.local_driver`). Data and serving folder are mounted, and given as
parameters of the run; the YAML stays as it is compiled. A run writes what a run of `pipeline.py`
writes, below `runs_folder/<name>-containers`.

Exit codes: as pipeline.py's: 0 pushed or unchanged, 1 failed, 2 bad recipe, data or engine, 3 not
blessed.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from components.errors import ComponentError
from components.image_example_gen.check import check
from config import ConfigError, Recipe, load_recipe
from kubeflow.compile import check_recipe
from kubeflow.parameters import override_recipe, read_assignments, run_arguments
from runner.interpreter import leave
from runner.session import RunError, RunPlace, open_place

SETTINGS_FILE: Final = "containers.json"
_SOCKET: Final = "/var/run/docker.sock"
_PASSED_ON: Final = ("AWS_", "GOOGLE_APPLICATION_CREDENTIALS", "TF_CPP_MIN_LOG_LEVEL")
"""Beginnings of the names of environment variables that steps are given."""


class EngineError(RunError):
    """There is no container engine, or no image."""


def run(recipe: Recipe, config_path: str, image: str, gpus: bool = False) -> int:
    """Compiles the recipe, runs it in containers and returns the exit code.

    Args:
        recipe: What to do; its paths are of this machine.
        config_path: Where it was read from; goes into the summary.
        image: Container image, which is here already.
        gpus: Whether steps may use this machine's GPUs.

    Raises:
        ComponentError: The data cannot be used.
        ConfigError: The recipe cannot be compiled, or its data folder or serving folder is no
            parameter of the pipeline.
        RunError: The run cannot be started.
    """
    socket = check_engine(image)
    overview = check(recipe.data)
    arguments, mounts = place_folders(recipe)
    with open_place(recipe.runs_folder.resolve() / f"{recipe.name}-containers") as place:
        check_recipe(recipe, image, str(place.artifacts))
        place.artifacts.mkdir(exist_ok=True)
        settings = {
            "image": image,
            "facts": {"config": config_path, "recipe": recipe.model_dump(mode="json")},
            "home": str(place.home),
            "run_id": place.run_id,
            "rows": overview.rows,
            "classes": len(overview.images_by_label),
            "arguments": arguments,
            "mounts": mounts,
            "user": f"{os.getuid()}:{os.getgid()}",
            "environment": {n: v for n, v in os.environ.items() if n.startswith(_PASSED_ON)},
            "gpus": gpus,
        }
        path = place.folder / SETTINGS_FILE
        path.touch(mode=0o600)
        path.write_text(json.dumps(settings))
        try:
            return _drive(image, socket, place)
        finally:
            # It may hold credentials.
            path.unlink()


def check_engine(image: str) -> str:
    """Checks that containers of the image can be started.

    Returns:
        The path of the engine's socket.

    Raises:
        EngineError: They cannot; the message says why.
    """
    socket = os.environ.get("DOCKER_HOST", f"unix://{_SOCKET}")
    if not socket.startswith("unix://"):
        raise EngineError(f"DOCKER_HOST: {socket!r} is another machine; this needs a local engine")
    try:
        listed = subprocess.run(
            ["docker", "image", "inspect", image], capture_output=True, text=True, timeout=60
        )
    except FileNotFoundError:
        raise EngineError("docker: there is no such command here; install Docker") from None
    except subprocess.TimeoutExpired:
        raise EngineError("docker: the engine does not answer within 60 s") from None
    if "No such image" in listed.stderr:
        raise EngineError(f"--image: there is no {image!r} here; build it with `make image`")
    if listed.returncode:
        reason = (listed.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EngineError(f"docker: the engine cannot be used: {reason}")
    return socket.removeprefix("unix://")


def place_folders(recipe: Recipe) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Gives the recipe's folders of this machine the same place within the containers.

    Returns:
        Arguments of the pipeline, and what to mount: `folder`, `read_only`.

    Raises:
        ConfigError: A folder is no parameter of the pipeline.
    """
    arguments = run_arguments(recipe)
    mounts = []
    folders = (
        ("data.path", str(recipe.data.path), True),
        ("push.destination", recipe.push.destination, False),
    )
    for field, location, read_only in folders:
        name = field.replace(".", "_")
        if name not in arguments:
            raise ConfigError(
                f"kubeflow.parameters: {field} is missing; a run in local containers has to give "
                "it another value, so list it"
            )
        if "://" in location:
            continue
        folder = Path(location).resolve()
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True)
        arguments[name] = str(folder)
        mounts.append({"folder": str(folder), "read_only": read_only})
    return arguments, mounts


def _drive(image: str, socket: str, place: RunPlace) -> int:
    command = [
        *("docker", "run", "--rm", "--init"),
        *("--user", f"{os.getuid()}:{os.getgid()}"),
        *("--group-add", str(Path(socket).stat().st_gid)),
        *("--volume", f"{socket}:{_SOCKET}"),
        *("--volume", f"{place.home}:{place.home}"),
        image,
        *("python", "-m", "kubeflow.local_driver", str(place.folder / SETTINGS_FILE)),
    ]
    driver = subprocess.Popen(command)
    while True:
        try:
            return driver.wait()
        except KeyboardInterrupt:
            # The driver has been told too, and stops the step that runs.
            continue


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line, runs the pipeline, returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Runs a recipe's pipeline in local containers, one a step.",
        epilog="Exit codes: 0 pushed or unchanged, 1 failed, 2 bad recipe, 3 not blessed.",
    )
    parser.add_argument("--config", default="configs/digits.yaml", help="the recipe")
    parser.add_argument("--image", default="darkroom:latest", help="the image of all steps")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="as trainer.seed=3"
    )
    parser.add_argument("--gpus", action="store_true", help="let steps use this machine's GPUs")
    options = parser.parse_args(arguments)
    try:
        recipe = load_recipe(Path(options.config))
        recipe = override_recipe(recipe, read_assignments(options.set))
        return run(recipe, options.config, options.image, options.gpus)
    except (ConfigError, ComponentError, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (RunError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    leave(main())
