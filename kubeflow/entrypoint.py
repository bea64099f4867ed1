"""The command of every step's container: runs a TFX executor on what Kubeflow tells it.

Usage, written by `darkroom.kubeflow.compile`:
    python -m darkroom.kubeflow.entrypoint --executor_class_path CLASS
        --json_serialized_invocation_args JSON --json_serialized_inputs_spec_args JSON
        [--outputs_spec JSON] [--recipe_places JSON] [--pipeline_root URI]
        [--training_job JSON | --training_worker] [arguments for Beam]

It takes the place of TFX's own entrypoint, which needs types that open-source Kubeflow does not
send, and imports every component of TFX before each step.

Exit codes: 0 done, 1 failed; the last line on stderr says why.
"""

import argparse
import importlib
import json
import logging
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

from darkroom.components.errors import ComponentError
from darkroom.kubeflow.executor_input import (
    ExecutorInputError,
    StepInput,
    make_output_folders,
    read_step_input,
    write_step_output,
)
from darkroom.kubeflow.light_imports import hidden, import_tfx_types, skip_component_package
from darkroom.runner.interpreter import importing, leave
from darkroom.storage.errors import StorageError, first_line
from darkroom.trainer.errors import TrainerError

_STARTED = time.monotonic()
_NEED_ALL_COMPONENTS = ("darkroom.components.evaluator.executor.Executor",)
"""TFX 1.21 completes TensorFlow Model Analysis when it imports all of its components."""
logger = logging.getLogger("darkroom.kubeflow.entrypoint")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a step and returns its exit code."""
    options, beam_arguments = _parse(arguments)
    # As process 1 of a container, Python would not end on SIGTERM.
    signal.signal(signal.SIGTERM, _stop)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("darkroom").setLevel(logging.INFO)
    try:
        if options.training_job:
            launch_step(options, sys.argv[1:] if arguments is None else arguments)
        else:
            run_step(options, beam_arguments)
    except (ComponentError, StorageError, TrainerError, ExecutorInputError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        traceback.print_exc()
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 1
    return 0


def run_step(options: argparse.Namespace, beam_arguments: list[str]) -> None:
    """Runs the executor and writes what it says about its outputs.

    Raises:
        ExecutorInputError: Kubeflow's message does not fit the step.
    """
    # Beam's workers outside of this container do not see its files; TFX then needs TensorFlow's
    # file functions, which know object stores.
    is_local = not _works_elsewhere(beam_arguments)
    with importing(), hidden("sklearn"):
        if is_local:
            import_tfx_types()
        if options.executor_class_path not in _NEED_ALL_COMPONENTS:
            skip_component_package()
        step = _read_step(options, is_local)
        executor_class = _import_class(options.executor_class_path)
    logger.info(
        "%s: begins after %.1f s of imports",
        options.executor_class_path,
        time.monotonic() - _STARTED,
    )

    def work() -> None:
        make_output_folders(step)
        with tempfile.TemporaryDirectory() as folder:
            executor = executor_class(_create_context(executor_class, beam_arguments, folder))
            executor.Do(step.inputs, step.outputs, step.properties)
        _mark_version(step)

    started = time.monotonic()
    if options.training_worker:
        from darkroom.kubeflow.distributed_step import run_as_worker

        run_as_worker(step, work)
    else:
        work()
        write_step_output(step)
    logger.info("%s: done in %.1f s", options.executor_class_path, time.monotonic() - started)


def launch_step(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    """Lets a training job do the work of the step.

    Raises:
        ExecutorInputError: Kubeflow's message does not fit the step.
        ComponentError: The job failed or cannot be run.
    """
    from darkroom.kubeflow.distributed_step import JOB_FLAG, launch

    at = list(arguments).index(JOB_FLAG)
    step = _read_step(options, is_local=True)
    launch(step, json.loads(options.training_job), [*arguments[:at], *arguments[at + 2 :]])


def _read_step(options: argparse.Namespace, is_local: bool) -> StepInput:
    return read_step_input(
        options.json_serialized_invocation_args,
        options.json_serialized_inputs_spec_args,
        options.outputs_spec,
        options.recipe_places,
        is_local,
    )


def _works_elsewhere(beam_arguments: Sequence[str]) -> bool:
    if not beam_arguments:
        return False
    from darkroom.kubeflow.beam import is_remote

    return is_remote(beam_arguments)


def _create_context(executor_class: type, beam_arguments: list[str], folder: str) -> Any:
    """Returns the context of an executor; its class has imported what is looked for here."""
    beam = sys.modules.get("tfx.dsl.components.base.base_beam_executor")
    if beam is not None and issubclass(executor_class, beam.BaseBeamExecutor):
        return beam.BaseBeamExecutor.Context(
            beam_pipeline_args=beam_arguments, tmp_dir=folder, unique_id="step"
        )
    from tfx.dsl.components.base.base_executor import BaseExecutor

    return BaseExecutor.Context(extra_flags=beam_arguments, tmp_dir=folder, unique_id="step")


def _mark_version(step: StepInput) -> None:
    from tfx.types.artifact_utils import ARTIFACT_TFX_VERSION_CUSTOM_PROPERTY_KEY
    from tfx.version import __version__

    for artifacts in step.outputs.values():
        for artifact in artifacts:
            artifact.set_string_custom_property(
                ARTIFACT_TFX_VERSION_CUSTOM_PROPERTY_KEY, __version__
            )


def _import_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _one_line(error: Exception) -> str:
    text = str(error)
    if callable(details := getattr(error, "details", None)):
        # Of gRPC, whose errors begin with their own name: of Beam's job server, for instance.
        text = f"{details()}"
    return first_line(f"{type(error).__name__}: {text}")


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    # An exception, so that executors clean up behind themselves.
    raise SystemExit(128 + number)


def _parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description="Runs one step of a compiled pipeline.", allow_abbrev=False
    )
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", default="{}")
    parser.add_argument("--outputs_spec", default="{}")
    parser.add_argument("--recipe_places", default="{}")
    parser.add_argument("--pipeline_root", help="not looked at: for Kubeflow's cache only")
    parser.add_argument("--training_job", default="")
    parser.add_argument("--training_worker", action="store_true")
    return parser.parse_known_args(arguments)


if __name__ == "__main__":
    leave(main())
