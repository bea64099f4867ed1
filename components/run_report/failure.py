"""The page about a run that ended early, from what its nodes have left."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from darkroom.components.run_report.data import NodeRow, Stop, Verdict
from darkroom.records.run import FailedRun

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

TRACE_LINES: Final = 30
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def render_failure(run: FailedRun, pipeline: str, recipe: str) -> str:
    """The page as HTML text.

    Args:
        run: The run.
        pipeline: Name of the pipeline.
        recipe: The recipe as JSON.
    """
    # TFX is here already where a node has run; a recipe that is refused need not wait for it.
    from darkroom.components.run_report.executor import collect
    from darkroom.components.run_report.render import render

    data = collect(find_inputs(run), pipeline, recipe, run.run_id)
    pushed = data.verdict if data.verdict.state == "pushed" else Verdict("failed")
    verdict = replace(pushed, state="failed", reasons=(run.error,))
    return render(replace(data, verdict=verdict, stop=_stop(run)))


def find_inputs(run: FailedRun) -> "dict[str, list[Artifact]]":
    """RunReport's inputs, as far as they are there: of each, the first output of its type.

    Without the model: asking it about images takes long.
    """
    from darkroom.components.run_report.component import RunReportSpec

    made = [listed for result in run.results for listed in result.outputs.values() if listed]
    return {
        key: next((listed for listed in made if listed[0].type_name == kind.type.TYPE_NAME), [])
        for key, kind in RunReportSpec.INPUTS.items()
        if key != "model"
    }


def _stop(run: FailedRun) -> Stop:
    rows = [NodeRow(result.name, result.state, result.seconds) for result in run.results]
    ran = {row.name for row in rows}
    rows += [NodeRow(name, "not run", None) for name in run.expected if name not in ran]
    return Stop(tuple(rows), clean(run.trace.splitlines())[-TRACE_LINES:], clean(run.log))


def clean(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines of a terminal as one would read them: no colours, of progress bars the last state."""
    last = (_ESCAPES.sub("", line).rstrip().rpartition("\r")[2] for line in lines)
    return tuple(_CONTROL.sub("", line) for line in last)
