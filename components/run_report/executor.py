"""What RunReport does: read what the other nodes wrote, render the page, write it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, TypeVar

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from darkroom.components.example_images import iterate_images, judged_split
from darkroom.components.model_artifact import serving_model
from darkroom.components.run_report import loading
from darkroom.components.run_report.commands import list_commands
from darkroom.components.run_report.data import Data, Mistakes, ReportData, Request, Verdict
from darkroom.components.run_report.mistakes import find_mistakes, load_predictor
from darkroom.components.run_report.model_card import make_card
from darkroom.components.run_report.render import render, render_card
from darkroom.components.run_report.wording import HEADLINES, explain_failure
from darkroom.records.artifacts import find_record, read_properties
from darkroom.records.blessing import Blessing
from darkroom.records.counts import ExampleCounts
from darkroom.records.evaluation import Evaluation
from darkroom.records.push import PushOutcome
from darkroom.records.training import TrainingRecord
from darkroom.storage.object_store.location import is_uri

PAGE_FILE: Final = "index.html"
CARD_FILE: Final = "MODEL_CARD.md"
Inputs = dict[str, list[Artifact]]
Loaded = TypeVar("Loaded")


class Executor(base_executor.BaseExecutor):
    """Writes the pages; a section that cannot be made says so instead of failing the run."""

    def Do(
        self,
        input_dict: Inputs,
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        run_id = getattr(self._context, "pipeline_run_id", None) if self._context else None
        request = Request(exec_properties["pipeline"], json.loads(exec_properties["recipe"]))
        data = finish(collect(input_dict, request, run_id or ""))
        folder = Path(artifact_utils.get_single_uri(output_dict["report"]))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PAGE_FILE).write_text(render(data), encoding="utf-8")
        if data.card:
            (folder / CARD_FILE).write_text(render_card(data), encoding="utf-8")
        if data.mistakes:
            loading.write_mistakes(folder, data.mistakes)


def collect(inputs: Inputs, request: Request, run_id: str = "") -> ReportData:
    """Reads everything that the page shows.

    Args:
        inputs: Artifacts by input name; each may be absent. Without a model, the mistakes are those
            in `report`, RunReport's own output.
        request: What the run was asked for.
        run_id: Identifies the run, if it is known.
    """
    sections = _Sections(inputs)
    counts = ExampleCounts.read(inputs.get("examples") or ())
    evaluation = sections.load("evaluation", "metrics", Evaluation.read)
    found = sections.load("report", "mistakes", loading.load_mistakes)
    return ReportData(
        request=request,
        run_id=run_id,
        verdict=read_verdict(inputs, evaluation),
        data=Data(
            train=counts.train,
            eval=counts.eval,
            test=counts.test or None,
            quarantine=sections.load(
                "quarantine",
                "quarantine",
                lambda folder: loading.load_quarantine(folder, _find_images(request)),
            ),
            anomalies=sections.load("anomalies", "anomalies", loading.load_anomalies),
            classes=sections.load("statistics", "classes", loading.load_classes) or (),
        ),
        evaluation=evaluation,
        history=sections.load("model_run", "learning curves", TrainingRecord.read),
        mistakes=found
        or sections.make("mistakes", ("examples", "model"), lambda: _mistakes(inputs)),
        problems=tuple(sections.problems),
    )


def finish(data: ReportData) -> ReportData:
    """Adds what follows from all the rest: the time, the commands, the model card."""
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    data = replace(data, made=made, commands=list_commands(data))
    return replace(data, card=make_card(data))


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


def _find_images(request: Request) -> Path | None:
    """The data folder, where it is one of this machine."""
    path = request.recipe.get("data", {}).get("path", "")
    return Path(path) if path and not is_uri(path) else None
