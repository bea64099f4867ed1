"""The page's sentences and number formats."""

import math
from typing import Final

from darkroom.components.evaluator.metrics import find_metric
from darkroom.components.run_report.data import State, Verdict
from darkroom.records.evaluation import Evaluation, Failure
from darkroom.transform.rejection import Reason

MISSING: Final = "–"
PRINTED_AS_ZERO: Final = 5e-5

HEADLINES: Final[dict[State, str]] = {
    "pushed": "Pushed",
    "unchanged": "Unchanged",
    "not_blessed": "Not blessed",
    "withdrawn": "Withdrawn",
    "failed": "Failed",
    "unknown": "No verdict",
}

BASELINES: Final = {
    "compared": "Compared with the version that had been pushed before.",
    "absent": "No version had been pushed before, so there was nothing to compare with.",
    "identical": "The candidate is the very model that had been pushed before: nothing to compare.",
    "other_classes": "The version pushed before knows other classes: the two cannot be compared.",
}

REASONS: Final = {reason.value: reason.words for reason in Reason}


def explain_verdict(verdict: Verdict) -> str:
    """One sentence below the headline; what is served now, no page can know."""
    if verdict.state == "pushed":
        return f"The model was pushed as version {verdict.version}."
    if verdict.state == "unchanged":
        return f"Version {verdict.version}, pushed before, is this very model: nothing was pushed."
    if verdict.state in ("not_blessed", "withdrawn"):
        kept = f"Version {verdict.version}, pushed before, was left as it is."
        return f"Nothing was pushed. {kept if verdict.version else ''}".strip()
    if verdict.state == "failed":
        pushed = f"The model had been pushed as version {verdict.version} before that."
        return f"The run ended early. {pushed if verdict.version else 'Nothing was pushed.'}"
    return "The run has no Pusher, so the model was neither pushed nor refused."


def explain_baseline(evaluation: Evaluation) -> str:
    """One sentence about the comparison with the version pushed before."""
    state = evaluation.baseline_state
    return BASELINES.get(state, f"No comparison with the version pushed before: {state}.")


def explain_failure(failure: Failure) -> str:
    """A missed bound in words."""
    where = "" if failure.slice == "overall" else f" on {name_slice(failure.slice)}"
    if failure.value is None:
        return f"{failure.metric}{where} could not be measured; wanted {failure.bound}"
    if failure.kind == "change":
        change = f"{failure.value:+.4f}".replace("-", "−")
        return (
            f"{failure.metric}{where} changed by {change} against the version pushed before; "
            f"wanted {failure.bound}"
        )
    return f"{failure.metric}{where} is {failure.value:.4f}; wanted {failure.bound}"


def name_slice(name: str) -> str:
    """`label:3` as `label 3`; only the first colon separates, class names may hold more."""
    return name.replace(":", " ", 1)


def format_metric(name: str, value: float | None) -> str:
    """A metric for a table cell."""
    if find_metric(name).is_share:
        return format_share(value)
    return MISSING if value is None or not math.isfinite(value) else f"{value:.4f}"


def format_share(value: float | None) -> str:
    """0.9806 as `98.06 %`."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:.2%}".replace("%", " %")


def format_interval(interval: tuple[float, float] | None) -> str:
    """(0.951, 0.986) as `95.1–98.6 %`; empty for None."""
    return f"{interval[0] * 100:.1f}–{interval[1] * 100:.1f} %" if interval else ""


def shorten(name: str, most: int = 32) -> str:
    """A long name without its middle: names of one data set often begin alike."""
    if len(name) <= most:
        return name
    tail = (most - 1) // 2
    return f"{name[: most - 1 - tail]}…{name[-tail:]}"


def format_difference(name: str, difference: float | None) -> str:
    """A signed difference of a metric; of percentages in percentage points."""
    if difference is None or not math.isfinite(difference):
        return MISSING
    if abs(difference) < PRINTED_AS_ZERO:
        return "±0"
    text = f"{difference * 100:+.2f} pp" if find_metric(name).is_share else f"{difference:+.4f}"
    return text.replace("-", "−")


def format_seconds(seconds: float) -> str:
    """Seconds as `41 s`, or as `3 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def format_count(count: int | None) -> str:
    """1797 as `1,797`."""
    return MISSING if count is None else f"{count:,}"


def judge(name: str, difference: float | None) -> str:
    """`better`, `worse` or `same`; differences that would print as zero are `same`."""
    if difference is None or not math.isfinite(difference) or abs(difference) < PRINTED_AS_ZERO:
        return "same"
    return "better" if (difference < 0) == find_metric(name).smaller_is_better else "worse"
