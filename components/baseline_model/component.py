"""Wiring of BaselineModel."""

from pathlib import Path

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.baseline_model.executor import Executor
from components.fingerprint import model_digest
from components.serving_folder import newest_version


class BaselineModelSpec(ComponentSpec):
    """Parameters and outputs of BaselineModel."""

    PARAMETERS = {
        "destination": ExecutionParameter(type=str),
        "served": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}


class BaselineModel(base_component.BaseComponent):
    """Emits one Model: a copy of the version now served, or one without a SavedModel.

    It stands where other pipelines have a Resolver, which open-source Kubeflow Pipelines cannot
    run and which knows what was blessed, not what is served.

    Args:
        destination: The serving folder, the same that Pusher pushes to.
        served: What is served, as `served_version` gives it; part of the cache key, so that the
            node runs again when another version is served.
    """

    SPEC_CLASS = BaselineModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, destination: str, served: str):
        spec = BaselineModelSpec(
            destination=destination, served=served, model=Channel(type=standard_artifacts.Model)
        )
        super().__init__(spec=spec)


def served_version(destination: str) -> str:
    """Names what is served: version and content digest, or `none`."""
    served = newest_version(Path(destination))
    return f"{served.version}:{model_digest(served.path)}" if served else "none"
