"""The recipe's `evaluation` section."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

Metric = Literal["accuracy", "auc", "loss"]


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

    min: float | None = None
    max: float | None = None
    min_improvement: float | None = None

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
        thresholds: Bounds for each metric, on the whole eval split.
        slices: Feature names; metrics are computed for each value of each. `label` and the
            recipe's metadata columns make sense.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    thresholds: dict[Metric, Threshold]
    slices: tuple[str, ...] = ("label",)

    @field_validator("thresholds")
    @classmethod
    def _are_given(cls, value: dict[Metric, Threshold]) -> dict[Metric, Threshold]:
        if not value:
            raise ValueError("a gate needs at least one bound, such as {accuracy: {min: 0.9}}")
        return value

    def binds(self, compared: bool) -> bool:
        """Whether any bound applies, given whether there is a baseline to compare with."""
        bounds = self.thresholds.values()
        return compared or any(b.min is not None or b.max is not None for b in bounds)
