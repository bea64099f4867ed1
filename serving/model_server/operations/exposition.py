"""Counters, gauges and histograms, and the text that Prometheus reads.

Written here and not with `prometheus_client`, because that adds `_total` to every counter's name,
which TensorFlow Serving's exporter does not, and takes several times as long for one observation.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

Labels = tuple[str, ...]
"""Values of a metric's labels, in the order of their names."""


class _Family:
    """The numbers of a metric, a list for each combination of labels.

    Of `max_series` combinations, the oldest gives way to a new one; None keeps all.
    """

    _size = 1

    def __init__(self, name: str, label_names: Labels, max_series: int | None = None) -> None:
        self.name = name
        self._label_names = label_names
        self._max_series = max_series
        self._lock = threading.Lock()
        self._series: dict[Labels, list[float]] = {}

    def _find(self, labels: Labels) -> list[float]:
        """Returns the numbers of these labels, to be changed under the lock."""
        numbers = self._series.get(labels)
        if numbers is None:
            if len(self._series) == self._max_series:
                del self._series[next(iter(self._series))]
            numbers = self._series[labels] = [0] * self._size
        return numbers

    def _copy(self) -> list[tuple[str, list[float]]]:
        with self._lock:
            copies = [(labels, list(numbers)) for labels, numbers in self._series.items()]
        return [(_write_labels(self._label_names, labels), numbers) for labels, numbers in copies]


class Counter(_Family):
    """A number that only grows, for each combination of labels."""

    def add(self, labels: Labels, amount: int = 1) -> None:
        """Adds to the number of these labels."""
        with self._lock:
            self._find(labels)[0] += amount

    def read_total(self) -> int:
        """Returns the sum of the numbers of all labels."""
        with self._lock:
            return int(sum(number for (number,) in self._series.values()))

    def write(self) -> Iterator[str]:
        """Yields the lines of the family, without line ends."""
        yield f"# TYPE {self.name} counter"
        for labels, (number,) in self._copy():
            yield f"{self.name}{{{labels}}} {number}"


@dataclass(frozen=True)
class Gauge:
    """Numbers that are asked for when they are written: `read` returns the present ones."""

    name: str
    label_names: Labels
    read: Callable[[], Iterable[tuple[Labels, float]]]

    def write(self) -> Iterator[str]:
        """Yields the lines of the family, without line ends."""
        yield f"# TYPE {self.name} gauge"
        for labels, value in self.read():
            yield f"{self.name}{{{_write_labels(self.label_names, labels)}}} {value}"


class Histogram(_Family):
    """How often values fell between bounds, for each combination of labels.

    The bounds are the upper ones of the buckets, ascending; a value equal to a bound is below it.
    One more bucket, without bound, follows.
    """

    def __init__(
        self,
        name: str,
        label_names: Labels,
        bounds: Sequence[float],
        max_series: int | None = None,
    ) -> None:
        super().__init__(name, label_names, max_series)
        self._bounds = tuple(bounds)
        self._limits = [*(f"{bound:.6g}" for bound in bounds), "+Inf"]
        # A count for each bucket, then the sum of the values.
        self._size = len(self._limits) + 1

    def observe(self, labels: Labels, *values: float) -> None:
        """Counts values under these labels."""
        buckets = [(bisect_left(self._bounds, value), value) for value in values]
        with self._lock:
            numbers = self._find(labels)
            for bucket, value in buckets:
                numbers[bucket] += 1
                numbers[-1] += value

    def write(self) -> Iterator[str]:
        """Yields the lines of the family, without line ends."""
        yield f"# TYPE {self.name} histogram"
        for labels, (*counts, total) in self._copy():
            prefix = f"{self.name}_bucket{{{labels}," if labels else f"{self.name}_bucket{{"
            for limit, count in zip(self._limits, accumulate(counts), strict=True):
                yield f'{prefix}le="{limit}"}} {count}'
            yield f"{self.name}_sum{{{labels}}} {float(total)!r}"
            yield f"{self.name}_count{{{labels}}} {sum(counts)}"


def exponential_bounds(scale: float, growth: float, count: int) -> list[float]:
    """Returns `count` bounds, of which each is `growth` times the one before it."""
    return list(accumulate([scale] + [growth] * (count - 1), lambda bound, factor: bound * factor))


_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def _write_labels(names: Labels, values: Labels) -> str:
    return ",".join(
        f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True)
    )
