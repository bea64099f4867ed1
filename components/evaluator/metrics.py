"""The metrics: all that gate, evaluation and report know of each."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Metric:
    """A metric of a classifier.

    Attributes:
        name: In recipes, in `metrics.json`, in the report.
        class_name: Keras' or TFMA's, which computes it.
        settings: Arguments of that class.
        least: The least value that it can have.
        most: The greatest.
        smaller_is_better: Whether an improvement makes it smaller.
        one_against_rest: Whether it is computed for each class against all others and averaged.
            Within one class it has no meaning.
        is_share: Whether the report shows it in percent.
    """

    name: str
    class_name: str
    settings: Mapping[str, int] = field(default_factory=dict)
    least: float = 0.0
    most: float = 1.0
    smaller_is_better: bool = False
    one_against_rest: bool = False
    is_share: bool = False


METRICS: Final = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "SparseCategoricalAccuracy", is_share=True),
        # A tenth of TFMA's thresholds, which take seconds a slice; the fourth digit changes.
        Metric("auc", "AUC", {"num_thresholds": 1000}, one_against_rest=True),
        Metric("loss", "SparseCategoricalCrossentropy", most=math.inf, smaller_is_better=True),
    )
}
"""By name, in the order in which the report shows them."""


def find_metric(name: str) -> Metric:
    """Returns a metric; of one that is not known here, no more than its name."""
    return METRICS.get(name) or Metric(name, "")
