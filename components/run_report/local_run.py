"""The pages about a run on this machine, from what its nodes have left."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from darkroom.components.run_report.data import NodeRow, Request, Stop, Verdict
from darkroom.records.run import EndedRun

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

REPORT_FILE: Final = "report.html"
TRACE_LINES: Final = 30
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def make_pages(run: EndedRun, request: Request) -> dict[str, str]:
    """The report, and the model card where a model was judged: name of the file to text.

    Unlike RunReport's own page, this one knows the time of every node and the run before.
    """
    # TFX is here already where a node has run; a recipe that is refused need not wait for it.
    from darkroom.components.run_report.executor import CARD_FILE, collect, finish
    from darkroom.components.run_report.render import render, render_card

    data = collect(find_inputs(run), request, run.run_id)
    data = replace(data, nodes=_list_nodes(run), previous=run.previous)
    if run.error:
        pushed = data.verdict if data.verdict.state == "pushed" else Verdict("failed")
        verdict = replace(pushed, state="failed", reasons=(run.error,))
        data = replace(data, verdict=verdict, stop=_stop(run))
    data = finish(data)
    pages = {REPORT_FILE: render(data)}
    return pages | ({CARD_FILE: render_card(data)} if data.card else {})


def find_inputs(run: EndedRun) -> "dict[str, list[Artifact]]":
    """RunReport's inputs and what it found, as far as they are there.

    Of each type the first output. Without the model: RunReport has asked it about images already.
    """
    from darkroom.components.run_report.component import RunReportSpec

    made = [listed for result in run.results for listed in result.outputs.values() if listed]
    return {
        key: next((listed for listed in made if listed[0].type_name == kind.type.TYPE_NAME), [])
        for key, kind in {**RunReportSpec.INPUTS, **RunReportSpec.OUTPUTS}.items()
        if key != "model"
    }


def _list_nodes(run: EndedRun) -> tuple[NodeRow, ...]:
    rows = [NodeRow(result.name, result.state, result.seconds) for result in run.results]
    ran = {row.name for row in rows}
    return (*rows, *(NodeRow(name, "not run", None) for name in run.expected if name not in ran))


def _stop(run: EndedRun) -> Stop:
    return Stop(clean(run.trace.splitlines())[-TRACE_LINES:], clean(run.log))


def clean(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines of a terminal as one would read them: no colours, of progress bars the last state."""
    last = (_ESCAPES.sub("", line).rstrip().rpartition("\r")[2] for line in lines)
    return tuple(_CONTROL.sub("", line) for line in last)
