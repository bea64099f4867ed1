import pytest
from pydantic import ValidationError

from darkroom.components.evaluator.config import EvaluationConfig, Threshold


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"thresholds": {}}, "at least one bound"),
        ({"thresholds": {"accuracy": {}}}, "at least one of min, max"),
        ({"thresholds": {"accuracy": {"min": 0.9, "max": 0.1}}}, "min 0.9 is above max 0.1"),
        ({"thresholds": {"acuracy": {"min": 0.9}}}, "accuracy"),
        ({"thresholds": {"accuracy": {"min": 70}}}, "70 does not do: accuracy .* 0.7 for 70 %"),
        ({"thresholds": {"accuracy": {"max": -0.1}}}, "-0.1 does not do: .* from 0 to 1; give one"),
        ({"thresholds": {"auc": {"min": 0.5, "max": 95}}}, "95 does not do: auc .* 0.95 for 95 %"),
        ({"thresholds": {"auc": {"min_improvement": 2}}}, "2 does not do: .* from -1 to 1"),
        ({"thresholds": {"accuracy": {"min_improvement": -1.5}}}, "-1.5 does not do"),
        ({"thresholds": {"accuracy": {"min": float("nan")}}}, "finite"),
        ({"thresholds": {"loss": {"max": -0.2}}}, "-0.2 does not do: loss is never below 0"),
        ({}, "Field required"),
    ],
)
def test_bounds_that_bound_nothing_are_refused(section, message):
    with pytest.raises(ValidationError, match=message):
        EvaluationConfig.model_validate(section)


def test_one_bound_is_enough():
    assert Threshold(min_improvement=-0.01).min is None
