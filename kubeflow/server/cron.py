"""When a schedule runs: Kubeflow's cron expressions, and intervals."""

import re
from typing import Final

from darkroom.recipe import ConfigError

_MONTHS: Final = [
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
]
_DAYS: Final = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_EXAMPLE: Final = "'0 0 3 * * *' is every night at three, UTC"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RANGE: Final = re.compile(r"(?:[*?]|(\w+)(?:-(\w+))?)(?:/(\d+))?")


def check_cron(expression: str) -> str:
    """Checks six fields, seconds first, and orders their spaces; ConfigError names a wrong one."""
    given = expression.split()
    if len(given) != len(_FIELDS):
        hint = f"; with seconds in front it is '0 {' '.join(given)}'" if len(given) == 5 else ""
        raise ConfigError(
            f"--cron: {expression!r} has {len(given)} fields, Kubeflow Pipelines takes six: second "
            f"minute hour day month weekday{hint}; {_EXAMPLE}"
        )
    for text, (name, least, most, names) in zip(given, _FIELDS, strict=True):
        for part in text.split(","):
            if not _is_range(part, least, most, names):
                raise ConfigError(
                    f"--cron: {part!r} is no {name}; give numbers from {least} to {most}, as in "
                    f"{least}, {least}-{most}, {least},{most}, */5 or *; {_EXAMPLE}"
                )
    return " ".join(given)


def _is_range(part: str, least: int, most: int, names: dict[str, int]) -> bool:
    match = _RANGE.fullmatch(part)
    if not match:
        return False
    first, last, step = match.groups()
    bounds = [_read_number(text, names) for text in (first, last) if text is not None]
    if any(bound is None for bound in bounds):
        return False
    numbers = [bound for bound in bounds if bound is not None]
    is_inside = all(least <= number <= most for number in numbers)
    return is_inside and numbers == sorted(numbers) and (step is None or int(step) > 0)


def _read_number(text: str, names: dict[str, int]) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() else names.get(text.upper())


def read_interval(text: str) -> int:
    """Reads an interval such as 30m, 6h or 1d.

    Returns:
        Seconds.

    Raises:
        ConfigError: It is none.
    """
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if seconds < 1:
        raise ConfigError(
            f"--every: {text!r} is no interval; give a number and s, m, h or d, such as 6h"
        )
    return seconds
