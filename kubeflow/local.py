"""Runs the compiled pipeline in local containers, one a step, through KFP's own DockerRunner.

Usage:
    python -m darkroom.kubeflow.local --config configs/digits.yaml --image darkroom:latest
        [--set trainer.seed=3] [--gpus]

The pipeline is compiled and driven within the image, which has the SDK that can run pipelines in
containers (`darkroom.kubeflow.local_driver`). Data and serving folder are mounted, and given as
parameters of the run; the YAML stays as it is compiled. A run writes what a run of `pipeline.py`
writes, below `runs_folder/<name>-containers`; the exit codes are those of `pipeline.py`.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from darkroom.components.errors import ComponentError
from darkroom.components.image_example_gen.check import check
from darkroom.kubeflow.compile import check_recipe
from darkroom.kubeflow.parameters import override_recipe, run_arguments
from darkroom.recipe import ConfigError, Recipe, load_recipe
from darkroom.recipe.overrides import read_assignments
from darkroom.runner.interpreter import leave
from darkroom.runner.session import RunError, open_place
from darkroom.storage.errors import StorageError

STEP_LABEL: Final = "darkroom.step-of"
"""Label of the containers of all runs of a pipeline: the folder of the runs."""
_DRIVER_LABEL: Final = "darkroom.driver-of"
_SOCKET: Final = "/var/run/docker.sock"
_PASSED_ON: Final = ("AWS_", "GOOGLE_APPLICATION_CREDENTIALS", "TF_CPP_MIN_LOG_LEVEL")
"""Beginnings of the names of environment variables that steps are given."""
_CREDENTIAL_FILES: Final = {
    "GOOGLE_APPLICATION_CREDENTIALS": "",
    "AWS_CA_BUNDLE": "",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
}
"""Variables that name files which steps have to see, and where the files are without them."""
_STOP_SECONDS: Final = 30


class EngineError(RunError):
    """There is no container engine, or no image."""


def run(recipe: Recipe, config_path: str, image: str, gpus: bool = False) -> int:
    """Compiles the recipe, runs it in containers and returns the exit code.

    Args:
        recipe: What to do; its paths are of this machine.
        config_path: Where it was read from; goes into the summary.

    Raises:
        ComponentError: The data cannot be used.
        ConfigError: The recipe cannot be compiled, or its data folder or serving folder is no
            parameter of the pipeline.
        RunError: The run cannot be started.
    """
    socket = check_engine(image)
    home = recipe.runs_folder.resolve() / f"{recipe.name}-containers"
    check_recipe(recipe, image, str(home))
    overview = check(recipe.data)
    arguments, mounts = place_folders(recipe)
    environment, files = pass_on(os.environ)
    with open_place(home) as place:
        place.artifacts.mkdir(exist_ok=True)
        # Of a run that was killed; the lock says that no other one is going on.
        for label in (_DRIVER_LABEL, STEP_LABEL):
            _stop_containers(f"{label}={home}")
        settings = {
            "image": image,
            "facts": {"config": config_path, "recipe": recipe.model_dump(mode="json")},
            "home": str(place.home),
            "run_id": place.run_id,
            "rows": overview.rows,
            "classes": len(overview.images_by_label),
            "notes": overview.notes,
            "arguments": arguments,
            "mounts": mounts + [{"folder": file, "read_only": True} for file in files],
            "user": f"{os.getuid()}:{os.getgid()}",
            "environment": environment,
            "gpus": gpus,
        }
        return _drive(settings, socket)


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
        raise EngineError(f"docker: the engine cannot be used: {_find_reason(listed.stderr)}")
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
            _make_folder(field, folder)
        arguments[name] = str(folder)
        mounts.append({"folder": str(folder), "read_only": read_only})
    return arguments, mounts


def pass_on(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Chooses what steps are given of this process' environment.

    Returns:
        Variables, and the files with credentials that they name.
    """
    variables = {name: value for name, value in environ.items() if name.startswith(_PASSED_ON)}
    if "AWS_PROFILE" in variables:
        for name, usual in _CREDENTIAL_FILES.items():
            if usual and Path(usual).expanduser().is_file():
                variables.setdefault(name, usual)
    files = []
    for name in _CREDENTIAL_FILES:
        if name in variables and (path := Path(variables[name]).expanduser()).is_file():
            variables[name] = str(path.resolve())
            files.append(variables[name])
    return variables, files


def _make_folder(field: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{field}: cannot make {str(folder)!r} ({error.strerror}); give a folder that can be "
            "written to"
        ) from error


def _stop_containers(condition: str) -> None:
    found = _ask_engine("ps", "--quiet", "--filter", f"label={condition}").split()
    if found:
        _ask_engine("stop", "-t", str(_STOP_SECONDS), *found)


def _ask_engine(*words: str) -> str:
    asked = subprocess.run(["docker", *words], capture_output=True, text=True)
    # A container that has ended in between is no reason to stop.
    if asked.returncode and "No such container" not in asked.stderr:
        raise EngineError(f"docker {words[0]}: the engine refuses: {_find_reason(asked.stderr)}")
    return asked.stdout


def _find_reason(said: str) -> str:
    return (said.strip().splitlines() or ["no reason given"])[-1]


def _drive(settings: Mapping[str, Any], socket: str) -> int:
    """Runs the driver, which is told what to do on its standard input: it may hold credentials."""
    home = settings["home"]
    command = [
        *("docker", "run", "--rm", "--init", "--interactive"),
        *("--label", f"{_DRIVER_LABEL}={home}"),
        *("--user", settings["user"]),
        *("--group-add", str(Path(socket).stat().st_gid)),
        *("--volume", f"{socket}:{_SOCKET}"),
        *("--volume", f"{home}:{home}"),
        settings["image"],
        *("python", "-m", "darkroom.kubeflow.local_driver"),
    ]
    driver = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    # To the engine's client, which passes it on to the driver, and that stops the step that runs.
    signal.signal(signal.SIGTERM, lambda number, frame: driver.send_signal(number))
    assert driver.stdin is not None
    with contextlib.suppress(BrokenPipeError), driver.stdin:
        driver.stdin.write(json.dumps(settings))
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
        epilog="Exit codes: 0 pushed or unchanged, 1 failed, 2 bad recipe, 3 not "
        "blessed, 4 withdrawn.",
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
    except (ConfigError, ComponentError, StorageError, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (RunError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    leave(main())
