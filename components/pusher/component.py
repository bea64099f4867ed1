"""Wiring of Pusher."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from darkroom.components.pusher.config import PushConfig
from darkroom.components.pusher.executor import Executor


class PusherSpec(ComponentSpec):
    """Parameters, inputs and outputs of Pusher."""

    PARAMETERS = {
        "push": ExecutionParameter(type=str),
        "pipeline": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
    }
    OUTPUTS = {"pushed_model": ChannelParameter(type=standard_artifacts.PushedModel)}


class Pusher(base_component.BaseComponent):
    """Pushes a model that both blessings bless; says what it did in custom properties.

    The artifact `pushed_model` holds a `darkroom.records.push.PushOutcome`.

    Args:
        examples: Raw examples; images of the eval split become warm-up requests.
        model_blessing: From Evaluator.
        infra_blessing: From ServingCheck.
        evaluation: From Evaluator; its metrics go with the pushed model.
        pipeline: The pipeline's name, which goes with it too.
    """

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel,
        examples: BaseChannel,
        model_blessing: BaseChannel,
        infra_blessing: BaseChannel,
        evaluation: BaseChannel,
        push: PushConfig,
        pipeline: str,
    ):
        spec = PusherSpec(
            push=push.model_dump_json(),
            pipeline=pipeline,
            model=model,
            examples=examples,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            evaluation=evaluation,
            pushed_model=Channel(type=standard_artifacts.PushedModel),
        )
        super().__init__(spec=spec)
