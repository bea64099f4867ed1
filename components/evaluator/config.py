"""The recipe's `evaluation` section."""

import math
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from darkroom.components.evaluator.metrics import METRICS, Metric

if TYPE_CHECKING:
    MetricName = str
else:
    MetricName = Literal[tuple(METRICS)]


class Threshold(BaseModel):
    """Bounds on one metric; a model outside of any is not blessed.

    Args:
        min: Smallest value allowed.
        max: Largest value allowed.
        min_improvement: How much better than the baseline the candidate has to be; a negative
            number says how much worse it may be. For `loss`, better is smaller. Without a
            baseline, or with one that is the very same model, this bound does not apply.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)
    min_improvement: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _bounds_something(self) -> "Threshold":
        if self.min is None and self.max is None and self.min_improvement is None:
            raise ValueError("give at least one of min, max and min_improvement")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class EvaluationConfig(BaseModel):
    """What is measured, on which slices, and what a model must reach to be pushed.

    Args:
        thresholds: Bounds for each metric, on the whole test split, else the whole eval split.
        slices: Feature names; metrics are computed for each value of each. `label` and the
            recipe's metadata columns make sense.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    thresholds: dict[MetricName, Threshold]
    slices: tuple[str, ...] = ("label",)

    @field_validator("thresholds")
    @classmethod
    def _are_given(cls, value: dict[MetricName, Threshold]) -> dict[MetricName, Threshold]:
        if not value:
            raise ValueError("a gate needs at least one bound, such as {accuracy: {min: 0.9}}")
        for name, threshold in value.items():
            _check_range(METRICS[name], threshold)
        return value

    def binds(self, compared: bool) -> bool:
        """Whether any bound applies, given whether there is a baseline to compare with."""
        bounds = self.thresholds.values()
        return compared or any(b.min is not None or b.max is not None for b in bounds)


def _check_range(metric: Metric, threshold: Threshold) -> None:
    """Refuses a bound outside of what the metric, or its change, can be."""
    span = metric.most - metric.least
    for name, bound in threshold:
        low, high = (-span, span) if name == "min_improvement" else (metric.least, metric.most)
        if bound is not None and not low <= bound <= high:
            raise PydanticCustomError(
                "value_error",
                "{bound} does not do: {metric} {remedy}",
                {
                    "bound": f"{bound:g}",
                    "metric": metric.name,
                    "remedy": _remedy(bound, low, high),
                    "below": (metric.name, name),
                },
            )


def _remedy(bound: float, low: float, high: float) -> str:
    if high == math.inf:
        return f"is never below {low:g}; give {low:g} or more"
    is_percent = abs(bound) > 1 and low <= bound / 100 <= high
    percent = f", {bound / 100:.4g} for {bound:g} %" if is_percent else ""
    kind = "changes by" if low < 0 else "is"
    return f"{kind} a fraction from {low:g} to {high:g}; give one{percent}"
