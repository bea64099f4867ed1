"""The page about a run that ended early, from what its nodes have left."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from darkroom.components.run_report.data import NodeRow, Stop, Verdict
from darkroom.components.run_report.executor import collect
from darkroom.components.run_report.render import render

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

INPUTS: Final = {
    "examples": ("ImageExampleGen", "examples"),
    "quarantine": ("ImageExampleGen", "quarantine"),
    "anomalies": ("ExampleValidator", "anomalies"),
    "model_run": ("Trainer", "model_run"),
    "evaluation": ("Evaluator", "evaluation_result"),
    "infra_blessing": ("ServingCheck", "blessing"),
    "pushed_model": ("Pusher", "pushed_model"),
}
"""RunReport's inputs by node and output, but for the model: asking it about images takes long."""
TRACE_LINES: Final = 30
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class NodeRun(Protocol):
    """A node that ran; see `darkroom.runner.nodes.NodeResult`."""

    @property
    def name(self) -> str:
        """The node's id."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def state(self) -> str:
        """`run`, `cached`, `failed` or `interrupted`."""

    @property
    def outputs(self) -> "Mapping[str, list[Artifact]]":
        """Output artifacts by key."""


class EndedRun(Protocol):
    """A run that ended early; see `darkroom.runner.failure.FailedRun`."""

    @property
    def run_id(self) -> str:
        """Name of the run's folder."""

    @property
    def error(self) -> str:
        """What stopped it, in one line."""

    @property
    def results(self) -> Sequence[NodeRun]:
        """The nodes that ran, in order."""

    @property
    def expected(self) -> Sequence[str]:
        """Ids of all nodes."""

    @property
    def trace(self) -> str:
        """Where the error came from."""

    @property
    def log(self) -> Sequence[str]:
        """The log's last lines."""


def render_failure(run: EndedRun, pipeline: str, recipe: str) -> str:
    """The page as HTML text.

    Args:
        run: The run.
        pipeline: Name of the pipeline.
        recipe: The recipe as JSON.
    """
    outputs = {result.name: result.outputs for result in run.results}
    found = {key: outputs.get(node, {}).get(name, []) for key, (node, name) in INPUTS.items()}
    data = collect(found, pipeline, recipe, run.run_id)
    pushed = data.verdict if data.verdict.state == "pushed" else Verdict("failed")
    verdict = replace(pushed, state="failed", reasons=(run.error,))
    return render(replace(data, verdict=verdict, stop=_stop(run)))


def _stop(run: EndedRun) -> Stop:
    rows = [NodeRow(result.name, result.state, result.seconds) for result in run.results]
    ran = {row.name for row in rows}
    rows += [NodeRow(name, "not run", None) for name in run.expected if name not in ran]
    return Stop(tuple(rows), clean(run.trace.splitlines())[-TRACE_LINES:], clean(run.log))


def clean(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines of a terminal as one would read them: no colours, of progress bars the last state."""
    last = (_ESCAPES.sub("", line).rstrip().rpartition("\r")[2] for line in lines)
    return tuple(_CONTROL.sub("", line) for line in last)
