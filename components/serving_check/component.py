"""Wiring of ServingCheck."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from darkroom.components.serving_check.executor import Executor


class ServingCheckSpec(ComponentSpec):
    """Parameters, inputs and outputs of ServingCheck."""

    PARAMETERS: dict[str, ExecutionParameter] = {}
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingCheck(base_component.BaseComponent):
    """Blesses a model that a model server answers for as the model itself does.

    It stands where other pipelines have InfraValidator, which needs Docker or a cluster.

    Args:
        examples: Raw examples; a few images of the eval split are sent.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, model: BaseChannel, examples: BaseChannel):
        spec = ServingCheckSpec(
            model=model,
            examples=examples,
            blessing=Channel(type=standard_artifacts.InfraBlessing),
        )
        super().__init__(spec=spec)
