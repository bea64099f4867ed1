"""From data to one self-contained HTML page: no script, no link outside but to the run before."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from darkroom.components.evaluator.metrics import METRICS, find_metric
from darkroom.components.run_report import wording
from darkroom.components.run_report.charts import draw_charts
from darkroom.components.run_report.confusion import view_confusion
from darkroom.components.run_report.data import ReportData
from darkroom.components.run_report.intervals import find_interval
from darkroom.components.run_report.loading import format_recipe
from darkroom.components.run_report.provenance import list_facts, list_provenance
from darkroom.records.evaluation import EXAMPLE_COUNT, Evaluation, Slice

MOST_SLICES = 200
"""A slice a class can be thousands; the page shows the ones with the weakest accuracy."""


def render(data: ReportData) -> str:
    """The page as HTML text."""
    evaluation = data.evaluation
    confusion = evaluation.confusion if evaluation else None
    metrics = _metric_names(evaluation) if evaluation else []
    return render_page(
        "page.html.j2",
        data=data,
        facts=list_facts(data),
        provenance=list_provenance(data),
        recipe=format_recipe(data.request.recipe),
        tables=_tables(evaluation, metrics) if evaluation else (),
        metrics=metrics,
        charts=draw_charts(data.history) if data.history else (),
        confusion=view_confusion(confusion) if confusion else None,
        headline=wording.HEADLINES[data.verdict.state],
    )


def render_card(data: ReportData) -> str:
    """The model card as Markdown."""
    return render_page("card.md.j2", data=data)


def render_page(template: str, **values: Any) -> str:
    """A page of this folder, as text."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=lambda template: template != "card.md.j2",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions: dict[str, Any] = {
        name: getattr(wording, name)
        for name in (
            "explain_baseline",
            "explain_failure",
            "explain_verdict",
            "format_count",
            "format_difference",
            "format_interval",
            "format_metric",
            "format_seconds",
            "format_share",
            "judge",
            "name_slice",
            "shorten",
        )
    }
    environment.globals.update(functions, REASONS=wording.REASONS)
    environment.filters.update(capitalize_first=_capitalize_first, md=_escape_markdown)
    environment.globals.update(
        difference=difference,
        find_interval=find_interval,
        find_metric=find_metric,
        share=_share,
    )
    return environment


def _metric_names(evaluation: Evaluation) -> list[str]:
    """Measured metrics, the count of examples apart."""
    order = {name: place for place, name in enumerate(METRICS)}
    names = [name for name in evaluation.overall.candidate if name != EXAMPLE_COUNT]
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def _tables(
    evaluation: Evaluation, metrics: list[str]
) -> list[tuple[str, list[Slice], int, list[str]]]:
    """Slices by the feature they are cut by.

    Returns:
        The feature's name, the slices, how many are left out, and the metrics that any has.
    """
    by_feature: dict[str, list[Slice]] = {}
    for part in evaluation.slices:
        by_feature.setdefault(part.name.partition(":")[0], []).append(part)
    tables = []
    for feature, parts in by_feature.items():
        if len(parts) > MOST_SLICES:
            parts.sort(key=lambda part: part.candidate.get("accuracy") or 0.0)
        shown, left_out = parts[:MOST_SLICES], max(0, len(parts) - MOST_SLICES)
        tables.append((feature, shown, left_out, [m for m in metrics if _any_has(shown, m)]))
    return tables


def _any_has(parts: list[Slice], metric: str) -> bool:
    """Whether a table of `parts` has a column `metric`: a class by itself has no AUC, say."""
    return any(part.candidate.get(metric) is not None for part in parts)


def _capitalize_first(text: str) -> str:
    """Unlike Jinja's own filter, leaves the names in the rest as they are."""
    return text[:1].upper() + text[1:]


def _escape_markdown(text: str) -> str:
    """Text that stays text within a line or a cell of a table."""
    special = r"[\\`*{}\[\]<>#|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    return re.sub(special, r"\\\g<0>", " ".join(text.split()))


def difference(part: Slice, metric: str) -> float | None:
    """Candidate minus baseline; None where either is missing."""
    if part.baseline is None:
        return None
    candidate, baseline = part.candidate.get(metric), part.baseline.get(metric)
    return None if candidate is None or baseline is None else candidate - baseline


def _share(part: float, whole: float) -> float:
    """Percent, 0 for an empty whole."""
    return 100 * part / whole if whole else 0.0
