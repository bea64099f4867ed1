"""What RunReport does: read what the other nodes wrote, render the page, write it."""

from collections.abc import Callable
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, TypeVar, cast

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from darkroom.components.example_images import iterate_images
from darkroom.components.model_artifact import serving_model
from darkroom.components.run_report import loading
from darkroom.components.run_report.data import (
    Data,
    Evaluation,
    History,
    Mistakes,
    ReportData,
    State,
    Verdict,
)
from darkroom.components.run_report.mistakes import find_mistakes, load_predictor
from darkroom.components.run_report.render import render
from darkroom.components.run_report.wording import HEADLINES, explain_failure, format_seconds

PAGE_FILE = "index.html"
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
        folder = Path(artifact_utils.get_single_uri(output_dict["report"]))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PAGE_FILE).write_text(render(data), encoding="utf-8")


def collect(inputs: Inputs, pipeline: str, recipe: str, run_id: str | None = None) -> ReportData:
    """Read everything that the page shows.

    Args:
        inputs: Artifacts by input name; each may be absent.
        pipeline: Name of the pipeline.
        recipe: The recipe as JSON.
        run_id: Identifies the run, if it is known.
    """
    sections = _Sections(inputs)
    evaluation = sections.load("evaluation", "metrics", loading.load_evaluation)
    history = sections.load("model_run", "learning curves", loading.load_history)
    return ReportData(
        pipeline=pipeline,
        verdict=read_verdict(inputs, evaluation),
        facts=_facts(run_id, history),
        data=Data(
            train=_count(inputs.get("examples"), "examples_train"),
            eval=_count(inputs.get("examples"), "examples_eval"),
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
    if not inputs.get("pushed_model"):
        return Verdict("unknown")
    pushed = artifact_utils.get_single_instance(inputs["pushed_model"])
    state = pushed.get_string_custom_property("push_state")
    if state not in HEADLINES:
        return Verdict("unknown")
    return Verdict(
        state=cast(State, state),
        version=pushed.get_int_custom_property("pushed_version"),
        destination=pushed.get_string_custom_property("pushed_destination"),
        reasons=_reasons(inputs, pushed, evaluation, state),
    )


def _reasons(
    inputs: Inputs, pushed: Artifact, evaluation: Evaluation | None, state: str
) -> tuple[str, ...]:
    """The gate's failures and ServingCheck's; Pusher's own line where neither is known."""
    if state != "not_blessed":
        return (pushed.get_string_custom_property("reason"),) if state == "withdrawn" else ()
    reasons = [explain_failure(failure) for failure in evaluation.failures] if evaluation else []
    for check in inputs.get("infra_blessing") or ():
        if check.get_int_custom_property("blessed") != 1:
            reasons.append(f"ServingCheck: {check.get_string_custom_property('reason')}")
    return tuple(reasons or [pushed.get_string_custom_property("reason")])


def _mistakes(inputs: Inputs) -> Mistakes:
    predict = load_predictor(serving_model(inputs["model"]))
    return find_mistakes(iterate_images(inputs["examples"], "eval"), predict)


def _facts(run_id: str | None, history: History | None) -> tuple[tuple[str, str], ...]:
    facts = [("Run", run_id)] if run_id else []
    facts.append(("Made", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")))
    if history:
        took = f" in {format_seconds(history.seconds)}" if history.seconds is not None else ""
        facts.append(("Training", f"{len(history.epochs)} epochs{took}"))
    libraries = [f"{name} {version(name.lower())}" for name in ("TFX", "TensorFlow", "Keras")]
    facts.append(("Made with", ", ".join([*libraries, f"Python {python_version()}"])))
    return tuple(facts)


def _count(artifacts: list[Artifact] | None, name: str) -> int | None:
    """An int custom property of a single artifact; None where it is not set."""
    if not artifacts or not artifacts[0].has_custom_property(name):
        return None
    return int(artifacts[0].get_int_custom_property(name))
