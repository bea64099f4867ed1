"""Runs of the past, as their folders tell: `<runs folder>/<pipeline>/<run id>/summary.json`."""

import contextlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.records.suggestion import did_you_mean, find_nearest
from darkroom.runner.session import LOCK_FILE, RunError, RunPlace
from darkroom.runner.summary import SUMMARY_FILE
from darkroom.storage.locks import is_locked

_RUN_ID = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        summary: What its `summary.json` says; empty where there is none.
        status: Of the summary; `running`, or `killed` where it left no summary.
    """

    place: RunPlace
    summary: dict[str, Any]
    status: str

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.place.home.name

    @property
    def name(self) -> str:
        """`<pipeline>/<run id>`, which names it among all runs."""
        return f"{self.pipeline}/{self.place.run_id}"

    @property
    def version(self) -> int | None:
        """The version that it pushed, or that it found unchanged."""
        return self.summary.get("pushed_version")

    @property
    def seconds(self) -> float:
        """Time that its nodes took."""
        return sum(node["seconds"] for node in self.summary.get("components", ()))


def list_pipelines(folder: Path) -> list[str]:
    """Names of the pipelines that have run; none where the folder does not exist."""
    homes = (path for path in (folder.iterdir() if folder.is_dir() else ()) if path.is_dir())
    return sorted(home.name for home in homes if (home / LOCK_FILE).exists())


def list_runs(home: Path) -> list[Run]:
    """Runs of one pipeline, in `<runs folder>/<pipeline>`, the newest first."""
    ids = sorted((path.name for path in home.iterdir() if _is_run(path)), reverse=True)
    busy = is_locked(home / LOCK_FILE)
    return [_read(RunPlace(home, run_id), busy and run_id == ids[0]) for run_id in ids]


def find_pipeline(folder: Path, name: str) -> Path:
    """Returns `<runs folder>/<pipeline>`; RunError where none of that name has run."""
    known = list_pipelines(folder)
    if name not in known:
        meant = did_you_mean(name, known) if known else "none has"
        raise RunError(f"no pipeline {name!r} has run in {str(folder)!r}; {meant}")
    return folder / name


def find_run(folder: Path, name: str) -> Run:
    """Returns a run by its id or the version that it pushed, or a pipeline's newest by its name.

    Args:
        folder: The runs folder.
        name: Of these; the first two may stand behind `<pipeline>/`.

    Raises:
        RunError: There is none of that name, or several.
    """
    pipeline, _, run_id = name.rpartition("/")
    known = list_pipelines(folder)
    if not pipeline and name in known:
        return _newest(folder / name)
    homes = [find_pipeline(folder, pipeline)] if pipeline else [folder / each for each in known]
    found = [run for home in homes for run in list_runs(home) if _is_named(run, run_id)]
    if not found:
        near = find_nearest(
            name, [*known, *(run.name for home in homes for run in list_runs(home))]
        )
        listed = "give one that `darkroom runs` lists, or a pipeline's name for its newest"
        meant = f"did you mean {near!r}?" if near else listed
        raise RunError(f"there is no run {name!r} in {str(folder)!r}; {meant}")
    if len(found) > 1:
        raise RunError(f"{name!r} is the name of several: {', '.join(run.name for run in found)}")
    return found[0]


def find_pushing_run(runs: Iterable[Run], version: int) -> Run | None:
    """Returns the run that pushed a version, if it is there still."""
    pushed = (run for run in runs if run.status == "pushed" and run.version == version)
    return next(pushed, None)


def _is_named(run: Run, name: str) -> bool:
    pushed = run.version if run.status == "pushed" else None
    return name in (run.place.run_id, str(pushed))


def _newest(home: Path) -> Run:
    runs = list_runs(home)
    if not runs:
        raise RunError(f"{str(home)!r} holds no run")
    return runs[0]


def _is_run(path: Path) -> bool:
    with contextlib.suppress(ValueError):
        time.strptime(path.name[:15], _RUN_ID)
        return path.is_dir() and not path.is_symlink()
    return False


def _read(place: RunPlace, busy: bool) -> Run:
    try:
        summary = json.loads((place.folder / SUMMARY_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Run(place, {}, "running" if busy else "killed")
    except ValueError as error:
        raise RunError(f"{str(place.folder / SUMMARY_FILE)!r} is no summary ({error})") from error
    return Run(place, summary, summary["status"])
