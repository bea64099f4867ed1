"""Counters, gauges and histograms, and the text that Prometheus reads.

Written here and not with `prometheus_client`, because that adds `_total` to every counter's name,
which TensorFlow Serving's exporter does not, and takes several times as long for one observation.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

Labels = tuple[str, ...]
"""Values of a metric's labels, in the order of their names."""


class Counter:
    """A number that only grows, for each combination of labels.

    Args:
        name: Name of the metric.
        label_names: Names of its labels.
        max_series: Combinations of labels to keep; the oldest gives way to a new one. None keeps
            all.

    Attributes:
        name: Name of the metric.
    """

    def __init__(self, name: str, label_names: Labels, max_series: int | None = None) -> None:
        self.name = name
        self._label_names = label_names
        self._max_series = max_series
        self._lock = threading.Lock()
        self._values: dict[Labels, int] = {}

    def add(self, labels: Labels, amount: int = 1) -> None:
        """Adds to the number of these labels."""
        with self._lock:
            if labels not in self._values and len(self._values) == self._max_series:
                del self._values[next(iter(self._values))]
            self._values[labels] = self._values.get(labels, 0) + amount

    def read_total(self) -> int:
        """Returns the sum of the numbers of all labels."""
        with self._lock:
            return sum(self._values.values())

    def write(self) -> Iterator[str]:
        """Yields the lines of the family, without line ends."""
        with self._lock:
            values = list(self._values.items())
        yield f"# TYPE {self.name} counter"
        for labels, value in values:
            yield f"{self.name}{{{_write_labels(self._label_names, labels)}}} {value}"


class Gauge:
    """Numbers that are asked for when they are written.

    Args:
        name: Name of the metric.
        label_names: Names of its labels.
        read: Returns the present numbers.
    """

    def __init__(
        self, name: str, label_names: Labels, read: Callable[[], Iterable[tuple[Labels, float]]]
    ) -> None:
        self._name = name
        self._label_names = label_names
        self._read = read

    def write(self) -> Iterator[str]:
        """Yields the lines of the family, without line ends."""
        yield f"# TYPE {self._name} gauge"
        for labels, value in self._read():
            yield f"{self._name}{{{_write_labels(self._label_names, labels)}}} {value}"


class _Series:
    """What a histogram knows of one combination of labels."""

    __slots__ = ("counts", "sum")

    def __init__(self, size: int) -> None:
        self.counts = [0] * size
        self.sum = 0.0


class Histogram:
    """How often values fell between bounds, for each combination of labels.

    Args:
        name: Name of the metric.
        label_names: Names of its labels.
        bounds: Upper bounds of the buckets, ascending; a value equal to a bound is below it. One
            more bucket, without bound, follows.
        max_series: As that of `Counter`.
    """

    def __init__(
        self,
        name: str,
        label_names: Labels,
        bounds: Sequence[float],
        max_series: int | None = None,
    ) -> None:
        self._name = name
        self._label_names = label_names
        self._bounds = tuple(bounds)
        self._limits = [*(f"{bound:.6g}" for bound in bounds), "+Inf"]
        self._max_series = max_series
        self._lock = threading.Lock()
        self._series: dict[Labels, _Series] = {}

    def observe(self, labels: Labels, value: float) -> None:
        """Counts one value under these labels."""
        self.observe_all(labels, (value,))

    def observe_all(self, labels: Labels, values: Iterable[float]) -> None:
        """Counts several values under these labels."""
        buckets = [(bisect_left(self._bounds, value), value) for value in values]
        with self._lock:
            series = self._series.get(labels) or self._add_series(labels)
            for bucket, value in buckets:
                series.counts[bucket] += 1
                series.sum += value

    def _add_series(self, labels: Labels) -> _Series:
        if len(self._series) == self._max_series:
            del self._series[next(iter(self._series))]
        series = self._series[labels] = _Series(len(self._limits))
        return series

    def write(self) -> Iterator[str]:
        """Yields the lines of the family, without line ends."""
        with self._lock:
            copies = [(key, list(one.counts), one.sum) for key, one in self._series.items()]
        yield f"# TYPE {self._name} histogram"
        for values, counts, total in copies:
            labels = _write_labels(self._label_names, values)
            prefix = f"{self._name}_bucket{{{labels}," if labels else f"{self._name}_bucket{{"
            for limit, count in zip(self._limits, accumulate(counts), strict=True):
                yield f'{prefix}le="{limit}"}} {count}'
            yield f"{self._name}_sum{{{labels}}} {total!r}"
            yield f"{self._name}_count{{{labels}}} {sum(counts)}"


def exponential_bounds(scale: float, growth: float, count: int) -> list[float]:
    """Returns `count` bounds, of which each is `growth` times the one before it."""
    return list(accumulate([scale] + [growth] * (count - 1), lambda bound, factor: bound * factor))


_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def _write_labels(names: Labels, values: Labels) -> str:
    return ",".join(
        f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True)
    )
