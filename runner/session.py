"""One run on this machine: its folder, its log, its lock, its summary."""

import contextlib
import functools
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from darkroom.records import progress
from darkroom.records.run import EndedRun, NodeResult
from darkroom.runner.interruption import uninterrupted
from darkroom.runner.output import logged_to, progress_to
from darkroom.runner.pages import MakePages, read_tail
from darkroom.runner.summary import (
    REPORT_FILE,
    SUMMARY_FILE,
    summarize,
    write_summary,
)
from darkroom.runner.terminal import ProgressHandler, Terminal
from darkroom.storage.locks import is_locked, locked
from darkroom.storage.whole_files import replace_text

LOG_FILE = "run.log"
LOCK_FILE = ".lock"
LOADING = "loading TensorFlow and TFX"
"""What there is to be said of the seconds before the first node."""
_EXIT_CODES = {"pushed": 0, "unchanged": 0, "failed": 1, "not_blessed": 3, "withdrawn": 4}


class RunError(Exception):
    """A run that cannot be started; the message is one line for the user."""


class RunBusyError(RunError):
    """Another run of the same pipeline is going on."""


@dataclass(frozen=True)
class RunPlace:
    """Where a run keeps its things.

    Attributes:
        home: `<runs_folder>/<pipeline>`: what all runs of the pipeline share.
        run_id: Name of this run's folder.
    """

    home: Path
    run_id: str

    @property
    def folder(self) -> Path:
        """Folder of this run."""
        return self.home / self.run_id

    @property
    def artifacts(self) -> Path:
        """TFX's pipeline root."""
        return self.home / "artifacts"

    @property
    def metadata(self) -> Path:
        """ML Metadata's SQLite file."""
        return self.home / "metadata.sqlite"


def exit_code(status: str) -> int:
    """The process's exit code for a status of `summary.json`."""
    return _EXIT_CODES[status]


@contextlib.contextmanager
def open_place(home: Path) -> Iterator[RunPlace]:
    """Takes the pipeline's lock and makes a folder for the run.

    The folder goes away again where the run left nothing in it.

    Raises:
        RunBusyError: Another process holds the lock.
        RunError: The folder cannot be made.
    """
    _make_home(home)
    with only_run(home):
        place = _make_folder(home)
        try:
            yield place
        finally:
            with contextlib.suppress(OSError):
                place.folder.rmdir()


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"runs_folder: cannot make {str(home)!r} ({error.strerror}); "
            "give a folder that can be written to"
        ) from error


def _make_folder(home: Path) -> RunPlace:
    """A folder named by the time; runs of the same second get a number behind it."""
    now = time.strftime("%Y%m%d-%H%M%S")
    for run_id in (now, *(f"{now}-{number}" for number in range(2, 1000))):
        place = RunPlace(home, run_id)
        with contextlib.suppress(FileExistsError):
            place.folder.mkdir()
            return place
    raise RunError(f"runs_folder: {str(home)!r} has a thousand runs of one second")


@contextlib.contextmanager
def only_run(home: Path) -> Iterator[None]:
    """Has the pipeline's lock.

    Args:
        home: `<runs_folder>/<pipeline>`.

    Raises:
        RunBusyError: Another process has it.
    """
    with locked(home / LOCK_FILE, functools.partial(_refuse_second, home)):
        yield


def refuse_busy(home: Path) -> None:
    """Refuses at once what the lock would refuse after all has been looked at.

    Raises:
        RunBusyError: Another process has the pipeline's lock.
    """
    if is_locked(home / LOCK_FILE):
        _refuse_second(home)


def _refuse_second(home: Path) -> NoReturn:
    raise RunBusyError(
        f"another run of this pipeline is going on in {str(home)!r}; wait for its end"
    ) from None


class RunSession:
    """Collects what the nodes did while it shows it.

    Args:
        facts: What goes into the summary as it is: `config`, `recipe`.
        pages: Makes the files about the run for its folder; one of them is the report.
    """

    def __init__(
        self,
        place: RunPlace,
        terminal: Terminal,
        facts: Mapping[str, Any],
        pages: MakePages,
    ):
        self._pages = pages
        self._place = place
        self._terminal = terminal
        self._facts = facts
        self._expected: list[str] = []
        self._results: list[NodeResult] = []

    def started(self, rows: int, classes: int, notes: Sequence[str] = ()) -> None:
        """Says what is about to run; the first node needs TensorFlow, which takes a while."""
        self._terminal.say(f"run {self._place.run_id}: {rows} rows, {classes} classes; {LOADING}")
        for note in notes:
            self._terminal.say(f"note: {note}")
        self._terminal.working(LOADING)

    def expect(self, nodes: Sequence[str]) -> None:
        """Names the nodes of the DAG; all is loaded, and what that said may be asked for."""
        self._expected = list(nodes)
        if self._terminal.verbose and self._log.exists():
            self._terminal.say(self._log.read_text(errors="replace").rstrip())

    def node_started(self, name: str) -> None:
        """Shows which node runs."""
        progress.end()
        self._terminal.working(name)

    def node_ended(self, result: NodeResult) -> None:
        """Records and shows a node's result."""
        self._results.append(result)
        self._terminal.node_ended(result)

    def finish(self, error: str = "", trace: str = "") -> dict[str, Any]:
        """Writes summary and report of what is known, shows where they are; returns the summary.

        Args:
            error: What stopped the run outside of any node.
            trace: Where that came from.

        Raises:
            OSError: The summary cannot be written; the verdict has been shown.
        """
        with uninterrupted():
            summary = {"run_id": self._place.run_id, **self._facts}
            summary |= summarize(self._results, self._expected)
            if error:
                summary |= {"status": "failed", "error": error}
            summary["report"] = self._report(summary, trace)
            try:
                self._write(summary)
            finally:
                self._show(summary)
        return summary

    def _write(self, summary: dict[str, Any]) -> None:
        """The report gives way where there is no room for both."""
        try:
            write_summary(self._place.folder, summary)
        except OSError:
            if not summary["report"]:
                raise
            Path(summary["report"]).unlink()
            summary["report"] = None
            write_summary(self._place.folder, summary)

    def _report(self, summary: Mapping[str, Any], trace: str) -> str | None:
        """Writes the pages; path of the report. It never fails the run."""
        # Before the first node there is nothing to show, and what shows it is slow to import.
        if not self._results and not trace:
            return None
        try:
            for name, text in self._pages(self._ended_run(summary, trace)).items():
                replace_text(self._place.folder / name, text)
            return str(self._place.folder / REPORT_FILE)
        except Exception:
            logging.exception("the report could not be made")
            (self._place.folder / REPORT_FILE).unlink(missing_ok=True)
        return None

    def _ended_run(self, summary: Mapping[str, Any], trace: str) -> EndedRun:
        traces = (result.trace for result in reversed(self._results) if result.trace)
        return EndedRun(
            self._place.run_id,
            summary["error"] if summary["status"] == "failed" else "",
            tuple(self._results),
            tuple(self._expected),
            trace or next(traces, ""),
            read_tail(self._log),
            self._find_previous(),
        )

    def _find_previous(self) -> str:
        """The newest run before this one that has a report."""
        reports = self._place.home.glob(f"[0-9]*/{REPORT_FILE}")
        earlier = (path.parent.name for path in reports)
        return max((name for name in earlier if name < self._place.run_id), default="")

    def _show(self, summary: Mapping[str, Any]) -> None:
        places = {
            "report": summary["report"],
            "summary": self._place.folder / SUMMARY_FILE,
            "log": self._log,
        }
        there = {name: str(at) for name, at in places.items() if at and Path(at).is_file()}
        self._terminal.summary(summary, there)

    @property
    def _log(self) -> Path:
        return self._place.folder / LOG_FILE


@contextlib.contextmanager
def captured(place: RunPlace, verbose: bool, quiet: bool = False) -> Iterator[Terminal]:
    """Sends the libraries' output into the run's log; yields what still reaches the user."""
    log = place.folder / LOG_FILE
    with logged_to(log) as stream:
        terminal = Terminal(stream, verbose, quiet)
        with progress_to(ProgressHandler(terminal)):
            try:
                yield terminal
            finally:
                terminal.idle()
