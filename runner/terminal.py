"""What a run shows on the terminal."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from darkroom.records.evaluation import EXAMPLE_COUNT
from darkroom.records.run import NodeResult, NodeState
from darkroom.runner.progress_line import CountColumn, repeated

_VERDICTS = {
    "pushed": "[green]pushed[/]: version {pushed_version} is in {pushed_path}",
    "unchanged": "[green]unchanged[/]: version {pushed_version}, the very same model, stays",
    "not_blessed": "[yellow]not blessed[/]: nothing was pushed ({error})",
    "withdrawn": "[yellow]withdrawn[/]: nothing was pushed ({error})",
    "failed": "[red]failed[/]: {error}",
}
_MARKS = {
    "run": "",
    "cached": "cached",
    "failed": "[red]failed[/]",
    "interrupted": "[yellow]interrupted[/]",
}
_NAME_WIDTH = 18


class Terminal:
    """Prints progress line by line; where the stream is no terminal, without colours.

    On a terminal the last line says what is being done, for how long already, and how far it is.

    Args:
        verbose: Whether a failed node's trace is printed too.
        quiet: Whether nothing is printed before the end.
    """

    def __init__(self, stream: TextIO, verbose: bool = False, quiet: bool = False):
        self.verbose = verbose
        self._console = Console(file=stream, highlight=False, soft_wrap=True, quiet=quiet)
        self._running = contextlib.ExitStack()

    def say(self, line: str) -> None:
        """Prints one line as it is."""
        self._console.print(escape(line))

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Shows what is being done in a block."""
        self.working(what)
        try:
            yield
        finally:
            self.idle()

    def working(self, what: str) -> None:
        """Shows what is being done until `idle`; where the stream is no terminal, if it is long."""
        self.idle()
        if not self._console.is_terminal:
            self._running.enter_context(repeated(lambda far: self.say(f"  {what}: {far}")))
            return
        words = TextColumn(f"{escape(what):<{_NAME_WIDTH}}")
        columns = words, TimeElapsedColumn(), SpinnerColumn(), CountColumn()
        # Else rich shows what is written to standard output and error, which are the log's.
        shown = Progress(
            *columns,
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        shown.add_task(what)
        self._running.enter_context(shown)

    def idle(self) -> None:
        """Takes that line away."""
        self._running.close()

    def node_ended(self, result: NodeResult) -> None:
        """Prints a node's name, seconds and whether it came from the cache."""
        self.node(result.name, result.seconds, result.state)
        if result.trace and self.verbose:
            self.say(result.trace.rstrip())

    def node(self, name: str, seconds: float, state: NodeState) -> None:
        """Prints one node's line."""
        self.idle()
        self._console.print(f"{name:<{_NAME_WIDTH}}{seconds:7.1f} s  {_MARKS[state]}".rstrip())

    def summary(self, summary: Mapping[str, Any], places: Mapping[str, str]) -> None:
        """Prints the end: examples, metrics against baseline, notes, verdict, places."""
        self.idle()
        self._console.quiet = False
        examples = summary["examples"]
        if examples["train"] is not None:
            test = f"{examples['test']} test, " if examples.get("test") else ""
            self._console.print(
                f"\nexamples  {examples['train']} train, {examples['eval']} eval, {test}"
                f"{examples['quarantined']} quarantined"
            )
        if summary["metrics"]:
            self._console.print(_metrics_table(summary["metrics"], summary["baseline_metrics"]))
        for note in summary["notes"]:
            self._console.print(f"note      {escape(note)}")
        verdict = _VERDICTS[summary["status"]]
        known = {key: escape(str(value)) for key, value in summary.items()}
        self._console.print(f"verdict   {verdict.format(**known)}")
        for name, place in places.items():
            self._console.print(f"{name:<10}{escape(place)}")


class ProgressHandler(logging.Handler):
    """Prints the progress logger's lines, indented below their node."""

    def __init__(self, terminal: Terminal):
        super().__init__()
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one line."""
        self._terminal.say(f"  {record.getMessage()}")


def _metrics_table(metrics: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="")
    for column in ("metric", "candidate", "baseline", "change"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, value in sorted(metrics.items()):
        if name == EXAMPLE_COUNT or value is None:
            continue
        before = (baseline or {}).get(name)
        compared = ("-", "-") if before is None else (f"{before:.4f}", f"{value - before:+.4f}")
        table.add_row(name, f"{value:.4f}", *compared)
    return table
