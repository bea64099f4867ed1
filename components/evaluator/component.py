"""Wiring of Evaluator."""

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from darkroom.components.evaluator.config import EvaluationConfig
from darkroom.components.evaluator.executor import Executor


class EvaluatorSpec(ComponentSpec):
    """Parameters, inputs and outputs of Evaluator."""

    PARAMETERS = {"evaluation": ExecutionParameter(type=str)}
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": ChannelParameter(type=standard_artifacts.Model),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {
        "evaluation_result": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures candidate and baseline with TFMA and blesses the candidate, or not.

    Beside TFMA's own files, the output `evaluation_result` holds a
    `darkroom.records.evaluation.Evaluation`, which reads without TFMA.

    Args:
        examples: Raw examples; the test split is used, or without one the eval split.
        baseline_model: BaselineModel's output; it may hold no SavedModel.
        transform_graph: Gives the label vocabulary.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel,
        model: BaseChannel,
        baseline_model: BaseChannel,
        transform_graph: BaseChannel,
        evaluation: EvaluationConfig,
    ):
        spec = EvaluatorSpec(
            evaluation=evaluation.model_dump_json(),
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            transform_graph=transform_graph,
            evaluation_result=Channel(type=standard_artifacts.ModelEvaluation),
            blessing=Channel(type=standard_artifacts.ModelBlessing),
        )
        super().__init__(spec=spec)
