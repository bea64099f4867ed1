"""The numbers as people read them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

TITLES: Final = {
    "digits": "MobileNetV2 of width 0.35 at 64×64, one image a request",
    "resnet50": "ResNet50 at 224×224, one image a request",
    "overhead": "Adding two numbers",
    "large_bodies": "Small requests while one large body is read",
}
_COLUMNS: Final = {
    "rate": ("requests/s", "{:,.0f}"),
    "of_limit": ("of limit", "{:.2f}"),
    "times_flask": ("× Flask", "{:.1f}"),
    "p50_ms": ("p50 ms", "{:.1f}"),
    "p99_ms": ("p99 ms", "{:.1f}"),
    "longest_ms": ("longest ms", "{:.1f}"),
    "answer_seconds": ("the body's s", "{:.1f}"),
    "memory_mb": ("server MB", "{:,.0f}"),
    "p99_in_calls": ("p99/call", "{:.1f}"),
    "server_cpu_seconds": ("CPU s", "{:.1f}"),
    "cpu_seconds": ("its load's", "{:.1f}"),
    "server_micros_per_request": ("CPU µs each", "{:,.0f}"),
}


def describe_row(row: Mapping[str, Any]) -> str:
    """Returns one measurement as a line."""
    values = [
        f"{form.format(row[key])} {name}" for key, (name, form) in _COLUMNS.items() if key in row
    ]
    return f"{row['what']}, {row['load']}: {', '.join(values)}"


def print_part(console: Console, part: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints the table of one part, and what else it found."""
    shown = [key for key in _COLUMNS if any(key in row for row in rows)]
    table = Table(title=TITLES[part])
    for column in ("", "load"):
        table.add_column(column)
    for key in shown:
        table.add_column(_COLUMNS[key][0], justify="right")
    for row in rows:
        cells = [_COLUMNS[key][1].format(row[key]) if key in row else "" for key in shown]
        table.add_row(row["what"], row["load"], *cells)
    console.print(table)
    for line in describe_rest(rows):
        console.print(escape(line), highlight=False)


def describe_rest(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns what no column has room for: the limit, errors, late sending, profiles."""
    lines = []
    for row in rows:
        where = f"{row['what']}, {row['load']}"
        if "rates" in row:
            rates = ", ".join(f"{size}: {rate:,.0f}" for size, rate in row["rates"].items())
            lines.append(f"Images/s of the model alone by batch size: {rates}.")
            lines.append(f"One call with one image: {row['call_p50_ms']:.1f} ms.")
        if row.get("errors"):
            counted = ", ".join(f"{count} × {kind}" for kind, count in row["errors"].items())
            lines.append(f"Not answered at {where}: {counted}.")
        if row.get("load") == "half load":
            lines.append(f"Sent late at {where}: p99 {row['late_p99_ms']:.1f} ms.")
        if "profile" in row:
            lines += ["", f"Where the time goes at {where}:", row["profile"]]
    return lines
