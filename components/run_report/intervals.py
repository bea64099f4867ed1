"""How sure a measured share is."""

from typing import Final

from darkroom.components.evaluator.ignorance import wilson_interval
from darkroom.records.evaluation import EXAMPLE_COUNT, Metrics

COUNTED: Final = "accuracy"
"""The metric that is a share of the examples."""


def find_interval(metrics: Metrics, metric: str) -> tuple[float, float] | None:
    """The 95 % interval of a metric of one part of a split; None for one that is no share."""
    share, count = metrics.get(metric), metrics.get(EXAMPLE_COUNT)
    if metric != COUNTED or share is None or not count:
        return None
    return wilson_interval(round(share * count), round(count))
