"""Geometry of the learning curves; the template draws it as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from darkroom.records.training import TrainingRecord

WIDTH, HEIGHT = 520, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 26, 34
MOST_TICKS = 8
ACCURACY_FLOORS = (0.0, 0.5, 0.8, 0.9)
"""Where the axis of the accuracy may begin."""

Values = Sequence[float]


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: position in SVG units, and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """One series.

    Args:
        name: For the legend, and the CSS class.
        lines: Points of the unbroken pieces, as `points` of an SVG polyline.
        dots: Positions of the values.
    """

    name: str
    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Phase:
    """A stretch of the epochs, from `left` to `right` in SVG units."""

    name: str
    left: float
    right: float


@dataclass(frozen=True)
class Chart:
    """A line chart over the epochs; all positions in SVG units.

    Args:
        title: What it shows.
        x_ticks: Numbers of epochs.
        y_ticks: Values, the smallest first.
        curves: The series.
        phases: The stretches of the history.
        best: Position of the epoch whose weights were kept.
    """

    title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    phases: tuple[Phase, ...]
    best: float
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def draw_charts(history: TrainingRecord) -> list[Chart]:
    """Accuracy and loss over all epochs; a measure that was never finite has no chart."""
    epochs = history.epochs
    measures = {
        "Accuracy": ([e.accuracy for e in epochs], [e.val_accuracy for e in epochs]),
        "Loss": ([e.loss for e in epochs], [e.val_loss for e in epochs]),
    }
    charts = [_draw(title, *values, history) for title, values in measures.items()]
    return [chart for chart in charts if chart]


def _draw(title: str, train: Values, validation: Values, history: TrainingRecord) -> Chart | None:
    known = [v for v in (*train, *validation) if math.isfinite(v)]
    if not known:
        return None
    count = len(history.epochs)
    ticks = nice_ticks(*_enclose(title, min(known), max(known)))
    bounds = (ticks[0], ticks[-1])
    return Chart(
        title=title,
        x_ticks=_epoch_ticks(count),
        y_ticks=tuple(Tick(_y(tick, bounds), f"{tick:g}") for tick in ticks),
        curves=(_curve("train", train, bounds), _curve("eval", validation, bounds)),
        phases=_phases([epoch.phase for epoch in history.epochs]),
        best=_x(history.epochs.index(history.best), count),
    )


def _enclose(title: str, low: float, high: float) -> tuple[float, float]:
    """Bounds that do not blow noise up: loss from 0 on, accuracy up to 1, at least 0.1 of it."""
    if title == "Loss":
        return min(0.0, low), high
    return max((floor for floor in ACCURACY_FLOORS if floor <= low), default=0.0), 1.0


def nice_ticks(low: float, high: float) -> list[float]:
    """Three to eight round values that enclose both bounds, evenly spaced."""
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - max(0.05, abs(low) * 0.05), high + max(0.05, abs(high) * 0.05)
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def _x(index: int, count: int) -> float:
    """Position of an epoch; each has a column of its own, so that phases meet between them."""
    return round(LEFT + (index + 0.5) * (WIDTH - LEFT - RIGHT) / count, 1)


def _y(value: float, bounds: tuple[float, float]) -> float:
    share = (value - bounds[0]) / (bounds[1] - bounds[0])
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _epoch_ticks(count: int) -> tuple[Tick, ...]:
    step = next(s for s in _steps() if math.ceil(count / s) <= MOST_TICKS)
    shown = [1, *range(step, count + 1, step)] if step > 1 else range(1, count + 1)
    return tuple(Tick(_x(epoch - 1, count), str(epoch)) for epoch in shown)


def _steps() -> Sequence[int]:
    return [factor * 10**power for power in range(9) for factor in (1, 2, 5)]


def _curve(name: str, values: Values, bounds: tuple[float, float]) -> Curve:
    points = [
        (_x(index, len(values)), _y(value, bounds)) if math.isfinite(value) else None
        for index, value in enumerate(values)
    ]
    lines = tuple(
        " ".join(f"{x},{y}" for x, y in (point for point in piece if point))
        for known, piece in groupby(points, key=lambda point: point is not None)
        if known
    )
    return Curve(name, lines, tuple(point for point in points if point))


def _phases(names: Sequence[str]) -> tuple[Phase, ...]:
    column = (WIDTH - LEFT - RIGHT) / max(1, len(names))
    found: list[Phase] = []
    start = 0
    for name, run in groupby(names):
        end = start + len(list(run))
        left, right = (round(LEFT + edge * column, 1) for edge in (start, end))
        found.append(Phase(name.replace("_", "-"), left, right))
        start = end
    return tuple(found)
