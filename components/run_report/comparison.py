"""Two runs side by side: metrics, classes, images that they answer differently, recipes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import comb
from typing import Any, Final

from darkroom.components.example_images import ExampleImage
from darkroom.components.run_report.intervals import COUNTED, find_interval
from darkroom.components.run_report.mistakes import BATCH, MOST_IMAGES, Predict
from darkroom.components.run_report.pictures import make_thumbnail
from darkroom.components.run_report.render import difference, render_page
from darkroom.records.evaluation import EXAMPLE_COUNT, Evaluation, Slice

SHOWN: Final = 24


@dataclass(frozen=True)
class Difference:
    """One image that only one of the models names right, or that both name wrong in their way.

    Args:
        path: Where the image came from.
        label: Its class.
        first: What the first run's model answers.
        second: What the second's does.
        picture: A `data:` URI; empty for an image that cannot be shown.
        width: Of the picture, in pixels.
    """

    path: str
    label: str
    first: str
    second: str
    picture: str
    width: int


@dataclass(frozen=True)
class Answers:
    """What two models say of the same images.

    Args:
        images: How many were asked about.
        first_only: Images that only the first model names right.
        second_only: Images that only the second does.
        shown: Some of those on which they differ.
    """

    images: int
    first_only: int
    second_only: int
    shown: tuple[Difference, ...]

    @property
    def chance(self) -> float:
        """How often equally good models would differ at least as one-sidedly as these.

        Exact, two-sided: McNemar, "Note on the sampling error of the difference between correlated
        proportions or percentages", Psychometrika 12, 1947.
        """
        total = self.first_only + self.second_only
        fewer = min(self.first_only, self.second_only)
        tail = sum(comb(total, wins) for wins in range(fewer + 1)) / 2**total
        return min(1.0, 2 * tail)


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Args:
        name: `<pipeline>/<run id>`.
        summary: Its `summary.json`.
        evaluation: What Evaluator measured; None where it did not get as far.
    """

    name: str
    summary: Mapping[str, Any]
    evaluation: Evaluation | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of its accuracy, or None."""
        overall = self.evaluation.overall.candidate if self.evaluation else {}
        return find_interval(overall, COUNTED)

    @property
    def version(self) -> int | None:
        """The version that is its model; None where it was not pushed."""
        in_place = self.summary["status"] in ("pushed", "unchanged")
        return self.summary["pushed_version"] if in_place else None


@dataclass(frozen=True)
class Comparison:
    """Two runs.

    Args:
        first: The one that is compared with, usually the older.
        second: The other.
        answers: Of their models about the images that the second is judged by; None: not to be had.
        missing: Why not; empty otherwise.
    """

    first: Side
    second: Side
    answers: Answers | None = None
    missing: str = ""

    @property
    def overall(self) -> Slice:
        """Metrics of both, the first as baseline."""
        first, second = (self._metrics(side) for side in (self.first, self.second))
        return Slice("overall", second, first)

    @property
    def classes(self) -> list[Slice]:
        """Metrics of each class that both have measured, the first as baseline.

        Those of which the accuracy differs most come first.
        """
        if not self.first.evaluation or not self.second.evaluation:
            return []
        before = {part.name: part.candidate for part in self.first.evaluation.slices}
        found = [
            Slice(part.name, part.candidate, before[part.name])
            for part in self.second.evaluation.slices
            if part.name in before and part.name.startswith("label:")
        ]
        return sorted(found, key=lambda part: -abs(difference(part, COUNTED) or 0.0))

    @property
    def recipe(self) -> list[tuple[str, Any, Any]]:
        """Fields that the recipes have different values for."""
        first, second = (dict(_flatten(s.summary["recipe"])) for s in (self.first, self.second))
        return [
            (field, first.get(field), second.get(field))
            for field in sorted({*first, *second})
            if first.get(field) != second.get(field)
        ]

    @staticmethod
    def _metrics(side: Side) -> Mapping[str, float | None]:
        return side.evaluation.overall.candidate if side.evaluation else {}


def compare_answers(images: Iterable[ExampleImage], first: Predict, second: Predict) -> Answers:
    """Asks two models about the same images.

    Args:
        images: Images with their classes; at most MOST_IMAGES of them are taken.
        first: Answers of the first model for a batch of encoded images.
        second: Likewise.
    """
    asked = first_only = second_only = 0
    shown: list[Difference] = []
    remaining = islice(images, MOST_IMAGES)
    while batch := list(islice(remaining, BATCH)):
        encoded = [image.encoded for image in batch]
        for image, one, two in zip(batch, first(encoded), second(encoded), strict=True):
            asked += 1
            if one.label == two.label:
                continue
            first_only += one.label == image.label
            second_only += two.label == image.label
            if len(shown) < SHOWN:
                shown.append(_show(image, one.label, two.label))
    return Answers(asked, first_only, second_only, tuple(shown))


def render_comparison(comparison: Comparison) -> str:
    """The page as HTML text."""
    metrics = [name for name in comparison.overall.candidate if name != EXAMPLE_COUNT]
    return render_page("comparison.html.j2", comparison=comparison, metrics=sorted(metrics))


def _show(image: ExampleImage, first: str, second: str) -> Difference:
    thumbnail = make_thumbnail(image.encoded)
    uri, width = (thumbnail.uri, thumbnail.width) if thumbnail else ("", 0)
    return Difference(image.path, image.label, first, second, uri, width)


def _flatten(section: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return value
