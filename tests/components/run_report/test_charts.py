import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.components.run_report.charts import (
    HEIGHT,
    LEFT,
    MOST_TICKS,
    WIDTH,
    draw_charts,
    nice_ticks,
)
from darkroom.records.training import EpochRecord, TrainingRecord
from darkroom.tests.components.run_report.pages import history_of

FINITE = st.floats(-1e6, 1e6)


@given(FINITE, FINITE)
def test_ticks_are_few_even_and_enclose_the_values(one, other):
    low, high = sorted((one, other))
    ticks = nice_ticks(low, high)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 8
    steps = [after - before for before, after in pairwise(ticks)]
    assert max(steps) == pytest.approx(min(steps), rel=1e-3, abs=slack)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.21, 0.98, [0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 2.2, [0.0, 1.0, 2.0, 3.0]),
        (0.5, 0.5, [0.45, 0.475, 0.5, 0.525, 0.55]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)


def levels(chart):
    return [float(tick.text) for tick in (chart.y_ticks[0], chart.y_ticks[-1])]


@pytest.mark.parametrize(
    ("lowest", "axis"), [(0.02, [0, 1]), (0.6, [0.4, 1]), (0.81, [0.8, 1]), (0.99, [0.9, 1])]
)
def test_the_axes_do_not_blow_noise_up(lowest, axis):
    epochs = tuple(EpochRecord("head", 1, 0.503, a, 0.501, a, 1.0) for a in (lowest, 0.995))
    accuracy, loss = draw_charts(TrainingRecord(epochs))
    assert levels(accuracy) == axis
    assert levels(loss)[0] == 0


def test_a_chart_has_both_curves_and_the_phases_side_by_side():
    accuracy, loss = draw_charts(history_of(head=4, fine_tuning=12))
    assert (accuracy.title, loss.title) == ("Accuracy", "Loss")
    assert [curve.name for curve in accuracy.curves] == ["train", "eval"]
    assert all(len(curve.dots) == 16 for curve in accuracy.curves)
    head, fine_tuning = accuracy.phases
    assert (head.name, fine_tuning.name) == ("head", "fine-tune")
    assert head.left == LEFT
    assert head.right == fine_tuning.left == LEFT + (fine_tuning.right - LEFT) / 4


def of_losses(*losses):
    """A training of which only the training loss is known."""
    return TrainingRecord(
        tuple(
            EpochRecord("head", number, loss, math.nan, math.nan, math.nan, 1.0)
            for number, loss in enumerate(losses, start=1)
        )
    )


def test_higher_values_are_drawn_higher():
    (chart,) = draw_charts(of_losses(1.0, 3.0))
    (_, low), (_, high) = chart.curves[0].dots
    assert high < low
    assert chart.y_ticks[0].at > chart.y_ticks[-1].at


def test_values_that_are_not_finite_break_the_line():
    (chart,) = draw_charts(of_losses(1.0, 0.9, math.nan, 0.7, math.inf, math.inf, 0.5))
    assert [len(points.split()) for points in chart.curves[0].lines] == [2, 1, 1]


def test_no_history_draws_nothing():
    assert draw_charts(TrainingRecord(())) == []
    assert draw_charts(of_losses(math.nan)) == []


@pytest.mark.parametrize("count", [1, 2, 8, 9, 17, 100, 1000])
def test_every_epoch_fits_and_few_are_numbered(count):
    chart, _ = draw_charts(history_of(head=count, fine_tuning=0))
    xs = [x for x, _ in chart.curves[0].dots]
    assert LEFT < xs[0] <= xs[-1] < WIDTH
    assert all(0 < y < HEIGHT for _, y in chart.curves[0].dots)
    assert 1 <= len(chart.x_ticks) <= MOST_TICKS + 1
    assert chart.x_ticks[0].text == "1"


def test_the_kept_epoch_is_marked():
    epochs = history_of().epochs
    history = TrainingRecord((*epochs[:-1], replace(epochs[-1], val_loss=9.0)))
    chart, _ = draw_charts(history)
    assert chart.best == chart.curves[0].dots[history.best.epoch - 1][0]
