import pytest
from pydantic import ValidationError

from components.evaluator.config import EvaluationConfig, Threshold


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"thresholds": {}}, "at least one bound"),
        ({"thresholds": {"accuracy": {}}}, "at least one of min, max"),
        ({"thresholds": {"accuracy": {"min": 0.9, "max": 0.1}}}, "min 0.9 is above max 0.1"),
        ({"thresholds": {"acuracy": {"min": 0.9}}}, "accuracy"),
        ({}, "Field required"),
    ],
)
def test_bounds_that_bound_nothing_are_refused(section, message):
    with pytest.raises(ValidationError, match=message):
        EvaluationConfig.model_validate(section)


def test_one_bound_is_enough():
    assert Threshold(min_improvement=-0.01).min is None
