"""Which files a recipe wants."""

import fnmatch
import re
from collections.abc import Iterable
from typing import Final

_SPAN: Final = re.compile(r"(?:^|/)span-(\d+)/")


class Selection:
    """Shell patterns on paths relative to the data folder; `*` spans folders.

    Args:
        include: Only files that one of them fits; empty: all.
        exclude: Files that none of them fits.
    """

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        self._include = _compile(include)
        self._exclude = _compile(exclude)

    def takes(self, name: str) -> bool:
        """Whether a file is wanted."""
        if self._exclude and self._exclude.match(name):
            return False
        return not self._include or self._include.match(name) is not None


def newest_spans(names: Iterable[str], count: int) -> list[str]:
    """Files in the folders `span-1`, `span-2`, … with the highest numbers, and those in none.

    Args:
        names: Relative to the data folder.
        count: How many spans; 0: all.
    """
    listed = list(names)
    spans = {name: int(found[1]) for name in listed if (found := _SPAN.search(name))}
    oldest = min(sorted({*spans.values()})[-count:], default=0)
    return [name for name in listed if spans.get(name, oldest) >= oldest]


def _compile(patterns: Iterable[str]) -> re.Pattern[str] | None:
    parts = [fnmatch.translate(pattern) for pattern in patterns]
    return re.compile("|".join(parts)) if parts else None
