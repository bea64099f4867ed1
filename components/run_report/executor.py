"""What RunReport does: read what the other nodes wrote, render the page, write it."""

from collections.abc import Callable
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, TypeVar

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from darkroom.components.example_images import iterate_images, judged_split
from darkroom.components.model_artifact import serving_model
from darkroom.components.run_report import loading
from darkroom.components.run_report.data import Data, Mistakes, ReportData, Verdict
from darkroom.components.run_report.mistakes import find_mistakes, load_predictor
from darkroom.components.run_report.render import render
from darkroom.components.run_report.wording import HEADLINES, explain_failure, format_seconds
from darkroom.records.artifacts import find_record, read_properties
from darkroom.records.blessing import Blessing
from darkroom.records.counts import ExampleCounts
from darkroom.records.evaluation import Evaluation
from darkroom.records.page import write_page
from darkroom.records.push import PushOutcome
from darkroom.records.training import TrainingRecord

Inputs = dict[str, list[Artifact]]
Loaded = TypeVar("Loaded")


class Executor(base_executor.BaseExecutor):
    """Writes the page; a section that cannot be made says so instead of failing the run."""

    def Do(
        self,
        input_dict: Inputs,
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        run_id = getattr(self._context, "pipeline_run_id", None) if self._context else None
        data = collect(input_dict, exec_properties["pipeline"], exec_properties["recipe"], run_id)
        write_page(Path(artifact_utils.get_single_uri(output_dict["report"])), render(data))


def collect(inputs: Inputs, pipeline: str, recipe: str, run_id: str | None = None) -> ReportData:
    """Read everything that the page shows.

    Args:
        inputs: Artifacts by input name; each may be absent.
        pipeline: Name of the pipeline.
        recipe: The recipe as JSON.
        run_id: Identifies the run, if it is known.
    """
    sections = _Sections(inputs)
    evaluation = sections.load("evaluation", "metrics", Evaluation.read)
    history = sections.load("model_run", "learning curves", TrainingRecord.read)
    counts = ExampleCounts.read(inputs.get("examples") or ())
    return ReportData(
        pipeline=pipeline,
        verdict=read_verdict(inputs, evaluation),
        facts=_facts(run_id, history),
        data=Data(
            train=counts.train,
            eval=counts.eval,
            test=counts.test or None,
            quarantine=sections.load("quarantine", "quarantine", loading.load_quarantine),
            anomalies=sections.load("anomalies", "anomalies", loading.load_anomalies),
        ),
        evaluation=evaluation,
        history=history,
        mistakes=sections.make("mistakes", ("examples", "model"), lambda: _mistakes(inputs)),
        recipe=loading.format_recipe(recipe),
        problems=tuple(sections.problems),
    )


class _Sections:
    """Makes sections one by one and remembers those that failed."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self.problems: list[str] = []

    def load(self, key: str, title: str, read: Callable[[Path], Loaded]) -> Loaded | None:
        """A section from the folder of one input; None without it."""
        return self.make(
            title, (key,), lambda: read(Path(artifact_utils.get_single_uri(self._inputs[key])))
        )

    def make(
        self, title: str, needed: tuple[str, ...], make: Callable[[], Loaded]
    ) -> Loaded | None:
        """A section, or None where an input is missing or it cannot be made."""
        if not all(self._inputs.get(key) for key in needed):
            return None
        try:
            return make()
        except Exception as error:
            # Of whatever kind: the model is pushed or refused by now, and the page is to say so.
            self.problems.append(f"No {title}: {type(error).__name__}: {error}")
            return None


def read_verdict(inputs: Inputs, evaluation: Evaluation | None) -> Verdict:
    """What Pusher did and, if it refused, why in words."""
    push = find_record(PushOutcome.read, inputs.get("pushed_model") or ())
    if push is None or push.state not in HEADLINES:
        return Verdict("unknown")
    return Verdict(push.state, push.version, push.destination, _reasons(inputs, push, evaluation))


def _reasons(inputs: Inputs, push: PushOutcome, evaluation: Evaluation | None) -> tuple[str, ...]:
    """The gate's failures and ServingCheck's; Pusher's own line where neither is known."""
    if push.state != "not_blessed":
        return (push.reason,) if push.state == "withdrawn" else ()
    reasons = [explain_failure(failure) for failure in evaluation.failures] if evaluation else []
    for artifact in inputs.get("infra_blessing") or ():
        blessing = Blessing.read(read_properties(artifact))
        if not blessing.blessed:
            reasons.append(f"ServingCheck: {blessing.reason}")
    return tuple(reasons or [push.reason])


def _mistakes(inputs: Inputs) -> Mistakes:
    predict = load_predictor(serving_model(inputs["model"]))
    return find_mistakes(
        iterate_images(inputs["examples"], judged_split(inputs["examples"])), predict
    )


def _facts(run_id: str | None, history: TrainingRecord | None) -> tuple[tuple[str, str], ...]:
    facts = [("Run", run_id)] if run_id else []
    facts.append(("Made", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")))
    if history:
        took = format_seconds(history.seconds)
        facts.append(("Training", f"{len(history.epochs)} epochs in {took}"))
    libraries = [f"{name} {version(name.lower())}" for name in ("TFX", "TensorFlow", "Keras")]
    facts.append(("Made with", ", ".join([*libraries, f"Python {python_version()}"])))
    return tuple(facts)
