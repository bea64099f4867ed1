"""Wiring of BaselineModel."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from darkroom.components.baseline_model.executor import Executor


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
        destination: The serving folder, a path or URI, the same that Pusher pushes to.
        served: What is served, as `served_version` of `storage/versions/place.py` names it; part
            of the cache key, so that the node runs again when another version is served.
    """

    SPEC_CLASS = BaselineModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, destination: str, served: str):
        spec = BaselineModelSpec(
            destination=destination, served=served, model=Channel(type=standard_artifacts.Model)
        )
        super().__init__(spec=spec)
