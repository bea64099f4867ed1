"""One run of a pipeline on this machine, from its folder to its summary."""

import logging
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkroom.runner.disk import Disk, explain_full_disk
from darkroom.runner.interpreter import importing
from darkroom.runner.interruption import is_interrupted
from darkroom.runner.pages import MakePages
from darkroom.runner.session import (
    LOG_FILE,
    RunError,
    RunPlace,
    RunSession,
    captured,
    open_place,
)
from darkroom.storage.errors import first_line

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline


@dataclass(frozen=True)
class LocalRun:
    """What is to be run, and what is known of it before.

    Attributes:
        home: `<runs_folder>/<pipeline>`: what all runs of the pipeline share.
        build: Makes the pipeline, given where the run keeps its things.
        uncached: Ids of the nodes that must never come from the cache.
        disks: The folders that it writes to; of those on one disk, the first is named.
        facts: What goes into the summary as it is: `config`, `recipe`.
        pages: Makes the files about the run for its folder.
        notes: How the data were read, a sentence each.
        said: What the libraries said while this was found out; goes into the log.
    """

    home: Path
    build: Callable[[RunPlace], "Pipeline"]
    uncached: Collection[str]
    disks: tuple[Disk, ...]
    facts: Mapping[str, Any]
    pages: MakePages
    rows: int
    classes: int
    notes: Sequence[str] = ()
    said: str = ""

    def explain(self, error: BaseException) -> str:
        """Words for the user about what was raised; empty where the error's own will do."""
        return explain_full_disk(error, self.disks)


def run_locally(run: LocalRun, verbose: bool = False, quiet: bool = False) -> dict[str, Any] | None:
    """Runs a pipeline on this machine.

    Args:
        verbose: Whether what the libraries say while they are loaded, and a failed node's trace,
            go to the terminal too, not only into the log.
        quiet: Whether nothing is shown before the end.

    Returns:
        The summary (`runner/summary.py`), or None where TFX's command only looked at the DAG.

    Raises:
        RunError: The run cannot be started, or its summary cannot be written.
    """
    try:
        with open_place(run.home) as place:
            with captured(place, verbose, quiet) as terminal:
                sys.stderr.write(run.said)
                session = RunSession(place, terminal, run.facts, run.pages)
                session.started(run.rows, run.classes, run.notes)
                summary = _run_session(run, place, session)
            if summary is None:
                # Nothing ran; an empty folder goes, too.
                (place.folder / LOG_FILE).unlink(missing_ok=True)
            return summary
    except OSError as error:
        # Not even the summary could be written.
        raise RunError(run.explain(error) or f"{type(error).__name__}: {error}") from error


def _run_session(run: LocalRun, place: RunPlace, session: RunSession) -> dict[str, Any] | None:
    try:
        ran = _run_nodes(run, place, session)
    except (Exception, KeyboardInterrupt) as error:
        # Some libraries take an interrupt of their import for an error.
        if isinstance(error, KeyboardInterrupt) or is_interrupted():
            return session.finish("interrupted; the next run goes on from the nodes that ended")
        logging.exception("the run stopped outside of any node")
        reason = run.explain(error) or first_line(f"{type(error).__name__}: {error}")
        return session.finish(reason, traceback.format_exc())
    return session.finish() if ran else None


def _run_nodes(run: LocalRun, place: RunPlace, session: RunSession) -> bool:
    """Whether anything ran: the `tfx pipeline` commands stub the runner out."""
    with importing():
        from absl import logging as absl_logging

        from darkroom.runner.local import ProgressRunner

    # Without it TFX's lines in the log have no time.
    absl_logging.use_absl_handler()
    with importing():
        pipeline = run.build(place)
    session.expect([node.id for node in pipeline.components])
    runner = ProgressRunner(
        place.run_id, run.uncached, session.node_ended, run.explain, session.node_started
    )
    runner.run(pipeline)
    return runner.ran
