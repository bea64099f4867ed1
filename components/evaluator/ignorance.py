"""Whether a model does better than one that always gives the same answer."""

import math
from collections.abc import Sequence
from typing import Final

_Z: Final = 1.959964
"""Of a normal distribution, 95 % lie within so many standard deviations."""


def describe_ignorance(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """One sentence about a model that seems to have learned nothing; empty for any other.

    Args:
        counts: Examples by class, rows true, columns predicted.
    """
    total = sum(map(sum, counts))
    if not total:
        return ""
    answered = [name for name, *column in zip(classes, *counts, strict=True) if any(column)]
    if len(answered) == 1:
        return f"the model learned nothing: it answers {answered[0]!r} to all {total} examples"
    largest, name = max((sum(row), name) for row, name in zip(counts, classes, strict=True))
    right = sum(row[index] for index, row in enumerate(counts))
    low, high = wilson_interval(right, total)
    if low > largest / total:
        return ""
    return (
        f"the model may have learned nothing: accuracy {right / total:.4f} (95 % interval "
        f"{low:.4f} to {high:.4f}) is no better than always answering {name!r}, "
        f"{largest / total:.4f}"
    )


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, "Probable inference", JASA 22, 1927).

    Args:
        right: Successes.
        total: Trials, at least 1.
    """
    share, spread = right / total, _Z * _Z / total
    centre = share + spread / 2
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4)
    return (centre - half) / (1 + spread), (centre + half) / (1 + spread)
