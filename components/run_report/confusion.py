"""The confusion matrix for the eye: a table where it fits, a picture and a ranking where not."""

from dataclasses import dataclass

from darkroom.components.run_report.pictures import grid_picture
from darkroom.records.evaluation import ConfusionMatrix

LARGEST_TABLE = 20
"""Classes up to which every cell is written out."""
MOST_PAIRS = 10
"""Confusions listed beside a table, and twice as many beside a picture."""
MOST_CLASSES = 10


@dataclass(frozen=True)
class Cell:
    """One cell: its count, and how strong to colour it, 0 to 100."""

    count: int
    strength: int
    right: bool


@dataclass(frozen=True)
class Row:
    """A true class: its examples, and the share of them answered right, None without any."""

    name: str
    total: int
    recall: float | None
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Pair:
    """A confusion: `count` of the class, `share` of its examples, were taken for `predicted`."""

    label: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class ConfusionView:
    """What the page shows.

    Args:
        classes: Class names in the matrix' order.
        rows: The table, or none for too many classes.
        picture: The matrix as a picture, a `data:` URI, or "" where there is a table.
        pairs: The most confused pairs.
        weakest: The classes with the smallest recall, in a table too large to show.
        right: Right answers.
        total: All answers.
    """

    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    picture: str
    pairs: tuple[Pair, ...]
    weakest: tuple[Row, ...]
    right: int
    total: int


def view_confusion(matrix: ConfusionMatrix) -> ConfusionView:
    """Prepare a matrix for the page."""
    small = len(matrix.classes) <= LARGEST_TABLE
    rows = [
        _row(matrix.classes[index], counts, index, with_cells=small)
        for index, counts in enumerate(matrix.counts)
    ]
    known = [row for row in rows if row.recall is not None]
    return ConfusionView(
        classes=matrix.classes,
        rows=tuple(rows) if small else (),
        picture="" if small else grid_picture(_strengths(matrix)),
        pairs=most_confused(matrix, MOST_PAIRS if small else 2 * MOST_PAIRS),
        weakest=() if small else tuple(sorted(known, key=_recall)[:MOST_CLASSES]),
        right=sum(counts[index] for index, counts in enumerate(matrix.counts)),
        total=sum(row.total for row in rows),
    )


def most_confused(matrix: ConfusionMatrix, limit: int) -> tuple[Pair, ...]:
    """The pairs of classes confused most often, by count and then by share of the class."""
    pairs = [
        Pair(matrix.classes[true], matrix.classes[predicted], count, count / sum(counts))
        for true, counts in enumerate(matrix.counts)
        for predicted, count in enumerate(counts)
        if count and predicted != true
    ]
    pairs.sort(key=lambda pair: (-pair.count, -pair.share))
    return tuple(pairs[:limit])


def _row(name: str, counts: tuple[int, ...], index: int, with_cells: bool) -> Row:
    total = sum(counts)
    cells = tuple(
        Cell(count, _strength(count, total), right=column == index)
        for column, count in enumerate(counts if with_cells else ())
    )
    return Row(name, total, counts[index] / total if total else None, cells)


def _strength(count: int, total: int) -> int:
    return round(100 * count / total) if total else 0


def _recall(row: Row) -> float:
    return 0.0 if row.recall is None else row.recall


def _strengths(matrix: ConfusionMatrix) -> list[list[tuple[int, bool]]]:
    """Strength and rightness of every cell; a count above 0 is never without colour."""
    grid = []
    for true, counts in enumerate(matrix.counts):
        total = sum(counts)
        grid.append(
            [
                (max(_strength(count, total), int(count > 0)), predicted == true)
                for predicted, count in enumerate(counts)
            ]
        )
    return grid
