import pytest

from darkroom.components.evaluator.ignorance import describe_ignorance, wilson_interval

CLASSES = ["cat", "dog"]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([[30, 0], [20, 0]], "the model learned nothing: it answers 'cat' to all 50 examples"),
        ([[0, 7], [0, 3]], "the model learned nothing: it answers 'dog' to all 10 examples"),
        ([[26, 24], [24, 26]], "accuracy 0.5200 (95 % interval 0.4232 to 0.6154) is no better "
         "than always answering 'dog', 0.5000"),
        ([[95, 0], [3, 2]], "may have learned nothing: accuracy 0.9700"),
        ([[3, 47], [2, 48]], "may have learned nothing: accuracy 0.5100"),
        ([[0, 50], [50, 0]], "accuracy 0.0000"),
    ],
)  # fmt: skip
def test_a_model_that_learned_nothing_is_described_in_one_line(counts, words):
    found = describe_ignorance(CLASSES, counts)
    assert words in found
    assert "\n" not in found


@pytest.mark.parametrize(
    "counts",
    [
        [[50, 0], [0, 50]],
        [[40, 10], [10, 40]],
        [[10, 40], [0, 50]],
        [[900, 0], [20, 80]],
        [[3, 0], [0, 3]],
        [[0, 0], [0, 0]],
    ],
)
def test_a_model_that_learned_is_not(counts):
    assert describe_ignorance(CLASSES, counts) == ""


def test_interval_is_that_of_the_literature():
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)
