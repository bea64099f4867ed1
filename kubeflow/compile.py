"""Compiles the DAG for Kubeflow Pipelines.

Usage:
    python -m darkroom.kubeflow.compile --config configs/digits.yaml --image IMAGE --root URI \
        --output FILE

TFX compiles for Vertex. What is written here runs on open-source Kubeflow Pipelines as well, which
takes schema version 2.1.0 only, and runs neither resolvers nor TFX's InfraValidator; the DAG has
none. Each step's container starts `darkroom.kubeflow.entrypoint` instead of TFX's own entrypoint,
fields of the recipe are parameters of the pipeline, and resources are those of the recipe.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from darkroom.components.node import NodeSpec
from darkroom.components.nodes import NODES, STATES
from darkroom.components.tfx_nodes import TRAINER
from darkroom.kubeflow.beam import check_beam_arguments
from darkroom.kubeflow.distributed_step import JOB_FLAG
from darkroom.kubeflow.parameters import RunParameter, list_parameters
from darkroom.kubeflow.pipeline_root import check_root
from darkroom.kubeflow.resources import (
    create_container_settings,
    create_kubernetes_settings,
    create_task_settings,
)
from darkroom.kubeflow.values import has_place
from darkroom.pipeline import InputState, create_pipeline
from darkroom.recipe import ConfigError, Recipe, load_recipe
from darkroom.recipe.kubeflow import KubeflowConfig, StepConfig
from darkroom.runner.interpreter import importing, leave, quiet
from darkroom.storage.whole_files import replace_text

ENTRYPOINT: Final = ["python", "-m", "darkroom.kubeflow.entrypoint"]
INPUTS_SPEC_FLAG: Final = "--json_serialized_inputs_spec_args"
OUTPUTS_SPEC_FLAG: Final = "--outputs_spec"
PLACES_FLAG: Final = "--recipe_places"
ROOT_FLAG: Final = "--pipeline_root"
_PLACEMENT: Final = (
    "cpu_request",
    "cpu_limit",
    "memory_request",
    "memory_limit",
    "node_selector",
    "tolerations",
)
"""Settings that a step which only waits for a job has from the defaults; its workers, as given."""


@dataclass(frozen=True)
class CompiledPipeline:
    """A pipeline for Kubeflow, as plain data.

    Attributes:
        specification: A `PipelineSpec`, schema version 2.1.0.
        platforms: A `PlatformSpec`; empty where no step needs one.
    """

    specification: dict[str, Any]
    platforms: dict[str, Any]

    def to_yaml(self) -> str:
        """Returns the text of the file that Kubeflow takes, of one document or two."""
        documents = [self.specification, self.platforms] if self.platforms else [self.specification]
        return yaml.safe_dump_all(documents, sort_keys=True, allow_unicode=True)

    def write(self, path: Path) -> None:
        """Writes the file that Kubeflow takes, whole or not at all."""
        replace_text(path, self.to_yaml())


def compile_recipe(
    recipe: Recipe, image: str, root: str, fingerprinted: bool = False
) -> CompiledPipeline:
    """Compiles a recipe.

    Args:
        recipe: What to do; its paths are those inside the containers.
        image: Container image that has this project installed.
        root: Pipeline root on the cluster's object store; a folder for local containers.
        fingerprinted: Whether each run says what the data and the serving folder hold, so that
            the nodes that read them may come from the cache. Without it they never do.

    Raises:
        ConfigError: The recipe's `kubeflow` section does not fit the rest of it.
    """
    check_recipe(recipe, image, root)
    parameters = list_parameters(recipe)
    original = _compile_with_tfx(recipe, image, root)
    tasks = original["root"]["dag"]["tasks"]
    nodes = {name: _Node(name, original, task) for name, task in tasks.items()}
    specification = {
        "schemaVersion": original["schemaVersion"],
        "sdkVersion": original["sdkVersion"],
        "pipelineInfo": original["pipelineInfo"],
        "defaultPipelineRoot": root,
        "root": {
            "inputDefinitions": {"parameters": _declare_parameters(parameters)},
            "dag": {"tasks": {}},
        },
        "components": {},
        "deploymentSpec": {"executors": {}},
    }
    kubernetes = {}
    for name, node in nodes.items():
        step = recipe.kubeflow.find_step(name)
        if not _is_cached(node.spec, recipe, fingerprinted):
            step = step.model_copy(update={"cache": False})
        node.rename()
        node.connect(parameters, root)
        if node.spec.is_divisible and recipe.kubeflow.workers > 1:
            node.launch_job(recipe.kubeflow, step, image)
            step = _as_launcher(step, recipe.kubeflow.defaults)
        node.task.update(create_task_settings(step))
        node.container.update(create_container_settings(step))
        specification["root"]["dag"]["tasks"][node.key] = node.task
        specification["components"][f"comp-{node.key}"] = node.component
        specification["deploymentSpec"]["executors"][f"exec-{node.key}"] = {
            "container": node.container
        }
        settings = create_kubernetes_settings(step, recipe.kubeflow.image_pull_secrets)
        if settings:
            kubernetes[f"exec-{node.key}"] = settings
    platforms = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": kubernetes}}}}
    return CompiledPipeline(specification, platforms if kubernetes else {})


def _is_cached(node: NodeSpec, recipe: Recipe, fingerprinted: bool) -> bool:
    """Whether a node may be skipped: not where it depends on what only the run knows."""
    file = node.find_file(recipe)
    return (
        node.is_cached
        and (fingerprinted or node.state is None)
        and (file is None or file.is_file())
        and not (node.file and _depends_on(node.file.field, recipe.kubeflow.parameters))
    )


def _depends_on(field: str, parameters: Sequence[str]) -> bool:
    """Whether a field, or a section that it is in, is among the parameters."""
    return any(f"{field}.".startswith(f"{parameter}.") for parameter in parameters)


def check_recipe(recipe: Recipe, image: str, root: str) -> None:
    """Refuses with a ConfigError what `compile_recipe` would, in a moment."""
    # TFX would take an empty one for its own image, which has no such entrypoint.
    if not image or not image.isprintable() or " " in image:
        raise ConfigError(
            f"--image: {image!r} is no name of an image; give one such as "
            "registry.example/team/darkroom:1.0"
        )
    list_parameters(recipe)
    check_beam_arguments(_find_beam_arguments(recipe), image, root)
    _check_batch_size(recipe)


def _as_launcher(step: StepConfig, defaults: StepConfig) -> StepConfig:
    placement = {name: getattr(defaults, name) for name in _PLACEMENT}
    # The launcher keeps the time itself, to delete the job and to say what it waited for.
    return step.model_copy(update=placement | {"gpu": None, "timeout_seconds": None})


def _find_beam_arguments(recipe: Recipe) -> tuple[str, ...]:
    return recipe.kubeflow.beam_pipeline_args or recipe.beam_pipeline_args


def _check_batch_size(recipe: Recipe) -> None:
    gpu = recipe.kubeflow.find_step(TRAINER.name).gpu
    replicas = recipe.kubeflow.workers * (gpu.count if gpu else 1)
    if recipe.kubeflow.workers > 1 and recipe.trainer.batch_size % replicas:
        raise ConfigError(
            f"trainer.batch_size: {recipe.trainer.batch_size} does not divide among {replicas} "
            f"replicas (kubeflow.workers times GPUs of each); set it to a multiple of {replicas}"
        )


def _compile_with_tfx(recipe: Recipe, image: str, root: str) -> dict[str, Any]:
    with importing():
        from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
            KubeflowV2DagRunner,
            KubeflowV2DagRunnerConfig,
        )

    recipe = recipe.model_copy(update={"beam_pipeline_args": _find_beam_arguments(recipe)})
    config = KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True)
    with tempfile.TemporaryDirectory() as folder:
        runner = KubeflowV2DagRunner(config, output_dir=folder, output_filename="pipeline.yaml")
        runner.run(create_pipeline(recipe, InputState(), root))
        return yaml.safe_load((Path(folder) / "pipeline.yaml").read_text())


class _Node:
    """The three parts of one node in what TFX has compiled; changed in place."""

    def __init__(self, name: str, original: Mapping[str, Any], task: dict[str, Any]) -> None:
        self.spec = NODES[name]
        self.key = self.spec.task_name
        self.task = task
        self.component = original["components"][task["componentRef"]["name"]]
        label = self.component["executorLabel"]
        self.container = original["deploymentSpec"]["executors"][label]["container"]

    def rename(self) -> None:
        """Gives everything the names that Kubeflow's own compiler would.

        Its local runner cuts names that do not begin with `comp-`; its drivers before 2.14 look for
        a producer's task by its key among tasks that they have stored by `taskInfo`.
        """
        self.task["taskInfo"]["name"] = self.key
        self.component["executorLabel"] = f"exec-{self.key}"
        self.task["componentRef"]["name"] = f"comp-{self.key}"
        if "dependentTasks" in self.task:
            self.task["dependentTasks"] = [
                NODES[name].task_name for name in self.task["dependentTasks"]
            ]
        for artifact in self.task.get("inputs", {}).get("artifacts", {}).values():
            source = artifact["taskOutputArtifact"]
            source["producerTask"] = NODES[source["producerTask"]].task_name

    def connect(self, parameters: Sequence[RunParameter], root: str) -> None:
        """Connects the node to the parameters that it depends on, and starts our entrypoint."""
        places = {}
        given = self.task.get("inputs", {}).get("parameters", {})
        constants = {name: value["runtimeValue"]["constant"] for name, value in given.items()}
        for parameter in parameters:
            found = [p for p in parameter.find_places(self.spec.name) if has_place(constants, p)]
            if found:
                places[parameter.name] = found
                self._add_input(parameter.name, parameter.kind, parameter.name)
        if state := self.spec.state:
            self._add_input(state.property, "STRING", state.name)
        self._start_entrypoint(places, root)

    def launch_job(self, settings: KubeflowConfig, step: StepConfig, image: str) -> None:
        """Makes the step launch a training job, whose pods get what the step would get."""
        pods = step.model_dump(mode="json", exclude={"retries", "cache"})
        job = {
            "workers": settings.workers,
            "image": image,
            "step": pods | {"image_pull_secrets": list(settings.image_pull_secrets)},
        }
        self.container["args"] += [JOB_FLAG, json.dumps(job)]

    def _start_entrypoint(self, places: Mapping[str, Sequence[Sequence[str]]], root: str) -> None:
        arguments = self.container["args"]
        # TFX's, written before the parameters came.
        inputs_spec = arguments.index(INPUTS_SPEC_FLAG) + 1
        arguments[inputs_spec] = json.dumps(self.component["inputDefinitions"])
        arguments += [OUTPUTS_SPEC_FLAG, json.dumps(self.component["outputDefinitions"])]
        # Kubeflow's cache looks at arguments, and not at where the artifacts of a hit are: without
        # it, another root would be given artifacts of this one.
        arguments += [ROOT_FLAG, root]
        if places:
            arguments += [PLACES_FLAG, json.dumps(places)]
        self.container["command"] = list(ENTRYPOINT)

    def _add_input(self, own_name: str, kind: str, name: str) -> None:
        definitions = self.component.setdefault("inputDefinitions", {})
        definitions.setdefault("parameters", {})[own_name] = {"parameterType": kind}
        inputs = self.task.setdefault("inputs", {}).setdefault("parameters", {})
        inputs[own_name] = {"componentInputParameter": name}


def _declare_parameters(parameters: Sequence[RunParameter]) -> dict[str, Any]:
    declared = [
        *((state.name, "STRING", "", state.description) for state in STATES),
        *((each.name, each.kind, each.default, each.description) for each in parameters),
    ]
    return {
        name: {"parameterType": kind, "defaultValue": default, "description": description}
        for name, kind, default, description in declared
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line and writes the YAML file."""
    parser = argparse.ArgumentParser(description="Compiles a recipe for Kubeflow Pipelines.")
    parser.add_argument("--config", default="configs/digits.yaml", help="the recipe")
    parser.add_argument("--image", required=True, help="container image with this project in it")
    parser.add_argument("--root", required=True, help="pipeline root, such as s3://bucket/digits")
    parser.add_argument("--output", default="pipeline.yaml", help="the file to write")
    options = parser.parse_args(arguments)
    output = Path(options.output)
    try:
        check_root(options.root)
        if output.is_dir() or not output.absolute().parent.is_dir():
            raise ConfigError(
                f"--output: {options.output!r} does not do; give a file in a folder that exists"
            )
        recipe = load_recipe(Path(options.config))
        with quiet():
            compiled = compile_recipe(recipe, options.image, options.root)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    try:
        compiled.write(output)
    except OSError as error:
        reason = error.strerror or error
        print(f"error: --output: cannot write {options.output!r} ({reason})", file=sys.stderr)
        return 1
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    leave(main())
