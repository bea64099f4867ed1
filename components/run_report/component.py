"""Wiring of RunReport."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from darkroom.components.artifacts import Quarantine, Report
from darkroom.components.run_report.executor import Executor


class RunReportSpec(ComponentSpec):
    """Parameters, inputs and outputs of RunReport."""

    PARAMETERS = {
        "pipeline": ExecutionParameter(type=str),
        "recipe": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
        "quarantine": ChannelParameter(type=Quarantine, optional=True),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies, optional=True),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
    }
    OUTPUTS = {"report": ChannelParameter(type=Report)}


class RunReport(base_component.BaseComponent):
    """Writes `index.html` (verdict, metrics, learning curves, mistakes, data) and `MODEL_CARD.md`.

    And `mistakes.json`, for a page that is made when the run has ended.

    It must never come from the cache: the verdict is that of this run.

    Args:
        examples: Raw examples; those that it is judged by are shown where the model errs.
        model: The candidate.
        evaluation: From Evaluator, with its `metrics.json`.
        pushed_model: From Pusher, with the verdict in its custom properties.
        pipeline: Name of the pipeline, for the head of the page.
        recipe: The recipe as JSON.
        infra_blessing: From ServingCheck.
        quarantine: From ImageExampleGen.
        statistics: From StatisticsGen; the classes are counted in them.
        anomalies: From ExampleValidator.
        model_run: From Trainer, with its `history.json`.
    """

    SPEC_CLASS = RunReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel,
        model: BaseChannel,
        evaluation: BaseChannel,
        pushed_model: BaseChannel,
        pipeline: str,
        recipe: str,
        infra_blessing: BaseChannel | None = None,
        quarantine: BaseChannel | None = None,
        statistics: BaseChannel | None = None,
        anomalies: BaseChannel | None = None,
        model_run: BaseChannel | None = None,
    ):
        spec = RunReportSpec(
            pipeline=pipeline,
            recipe=recipe,
            examples=examples,
            model=model,
            evaluation=evaluation,
            pushed_model=pushed_model,
            infra_blessing=infra_blessing,
            quarantine=quarantine,
            statistics=statistics,
            anomalies=anomalies,
            model_run=model_run,
            report=Channel(type=Report),
        )
        super().__init__(spec=spec)
