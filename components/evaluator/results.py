"""From TFMA's results to the record of the evaluation."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma

from darkroom.components.evaluator.eval_config import BASELINE, CANDIDATE
from darkroom.components.evaluator.ignorance import describe_ignorance
from darkroom.components.evaluator.metrics import METRICS, find_metric
from darkroom.records.evaluation import (
    EXAMPLE_COUNT,
    ConfusionMatrix,
    Evaluation,
    Failure,
    Metrics,
    Slice,
)
from darkroom.transform import features

_OVERALL = "overall"


def read_results(folder: str, classes: list[str], baseline: str, bounded: bool) -> Evaluation:
    """Reads TFMA's output folder.

    Args:
        classes: Class names in index order.
        bounded: Whether any bound applies; TFMA says "not ok" where none does.
    """
    compared = baseline == "compared"
    candidate = tfma.load_eval_result(folder, model_name=CANDIDATE if compared else None)
    validation = tfma.load_validation_result(folder)
    before = _metrics(tfma.load_eval_result(folder, model_name=BASELINE)) if compared else {}
    after = _metrics(candidate)
    confusion = _sort_by_name(classes, _confusion(candidate, len(classes)))
    return Evaluation(
        overall=Slice(_OVERALL, after.pop(_OVERALL), before.get(_OVERALL)),
        slices=tuple(Slice(name, after[name], before.get(name)) for name in sorted(after)),
        confusion=confusion,
        baseline_state=baseline,
        blessed=bool(validation.validation_ok) or not bounded,
        failures=tuple(_failures(validation)),
        learned_nothing=describe_ignorance(confusion.classes, confusion.counts),
    )


def describe_failures(failures: Sequence[Failure]) -> str:
    """One line about the bounds that were missed, or an empty string."""
    described = []
    for failure in failures:
        value = "missing" if failure.value is None else f"{failure.value:.4f}"
        change = "change of " if failure.kind == "change" else ""
        described.append(f"{change}{failure.metric} is {value}, wanted {failure.bound}")
    return "; ".join(described)


def _metrics(result: tfma.EvalResult) -> dict[str, Metrics]:
    """Metrics by the name of the slice."""
    found: dict[str, Metrics] = {_OVERALL: {}}
    for key, by_output in result.slicing_metrics:
        metrics = _plain(by_output)
        if any(column == features.LABEL for column, _ in key):
            # Within one class there is no rest.
            metrics = {n: v for n, v in metrics.items() if not find_metric(n).one_against_rest}
        found[",".join(f"{column}:{value}" for column, value in key) or _OVERALL] = metrics
    return found


def _plain(by_output: Mapping[str, Any]) -> dict[str, float | None]:
    """Metrics of one slice, by the recipe's names."""
    plain: dict[str, float | None] = {}
    for by_class in by_output.values():
        for metrics in by_class.values():
            for key, value in metrics.items():
                name = _metric_name(key)
                if name:
                    number = float(value.get("doubleValue", "nan"))
                    plain[name] = number if math.isfinite(number) else None
    return plain


def _metric_name(key: str) -> str | None:
    """The metric of a TFMA key: an average over classes has its settings in front of the name."""
    names = (*METRICS, EXAMPLE_COUNT)
    found = [name for name in names if key == name or key.endswith(f"_{name}")]
    return max(found, key=len, default=None)


def _confusion(result: tfma.EvalResult, classes: int) -> list[list[int]]:
    counts = [[0] * classes for _ in range(classes)]
    for key, by_output in result.plots:
        if key:
            continue
        for by_class in by_output.values():
            for plots in by_class.values():
                for entry in _entries(plots):
                    actual, predicted = (
                        entry.get("actualClassId", 0),
                        entry.get("predictedClassId", 0),
                    )
                    if 0 <= actual < classes and 0 <= predicted < classes:
                        counts[actual][predicted] += int(entry.get("numWeightedExamples", 0))
    return counts


def _sort_by_name(classes: list[str], counts: list[list[int]]) -> ConfusionMatrix:
    """In the order of the names, numbers by value."""
    numbers = all(name.isdecimal() for name in classes)
    order = sorted(range(len(classes)), key=lambda i: int(classes[i]) if numbers else classes[i])
    return ConfusionMatrix(
        tuple(classes[index] for index in order),
        tuple(tuple(counts[row][column] for column in order) for row in order),
    )


def _entries(plots: Mapping[str, Any]) -> list[dict[str, Any]]:
    matrices = plots.get("multiClassConfusionMatrixAtThresholds", {}).get("matrices", [])
    return matrices[0].get("entries", []) if matrices else []


def _failures(validation: Any) -> Iterator[Failure]:
    for per_slice in validation.metric_validations_per_slice:
        name = ",".join(
            f"{key.column}:{key.bytes_value.decode()}"
            for key in per_slice.slice_key.single_slice_keys
        )
        for failure in per_slice.failures:
            kind, bound = _bound(failure.metric_threshold)
            known = failure.HasField("metric_value")
            yield Failure(
                metric=failure.metric_key.name.removesuffix("_diff"),
                slice=name or _OVERALL,
                kind=kind,
                bound=bound,
                value=failure.metric_value.double_value.value if known else None,
            )


def _bound(threshold: Any) -> tuple[str, str]:
    if threshold.HasField("change_threshold"):
        change = threshold.change_threshold
        higher = change.direction == tfma.MetricDirection.HIGHER_IS_BETTER
        return "change", f"{'≥' if higher else '≤'} {change.absolute.value:+g}"
    value = threshold.value_threshold
    bounds = []
    if value.HasField("lower_bound"):
        bounds.append(f"≥ {value.lower_bound.value:g}")
    if value.HasField("upper_bound"):
        bounds.append(f"≤ {value.upper_bound.value:g}")
    return "absolute", " and ".join(bounds)
