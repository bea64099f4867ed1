"""Removing what old runs left: their folders, and artifacts that no other run refers to.

TFX looks whether the files of a cached artifact are there still, so what is removed is made anew
when a run needs it.
"""

import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler.constants import PIPELINE_RUN_CONTEXT_TYPE_NAME

from darkroom.runner.runs import Run, list_runs
from darkroom.runner.session import RunPlace

PIN_FILE = "pinned"
"""A run whose folder holds a file of this name stays."""
_DELETED = metadata_store_pb2.Artifact.DELETED


@dataclass(frozen=True)
class Pruning:
    """What may go.

    Attributes:
        home: `<runs folder>/<pipeline>`.
        artifacts: Ids, in ML Metadata, of artifacts that only these runs refer to.
        folders: Where those artifacts and what their executors left lie.
        size: Bytes of all that.
    """

    home: Path
    runs: tuple[Run, ...]
    artifacts: tuple[int, ...]
    folders: tuple[Path, ...]
    size: int


def choose_runs(
    runs: Sequence[Run], keep: int | None, since: float | None, served: int | None
) -> list[Run]:
    """The runs that may go; never the newest, nor one that runs, is pinned or is served.

    Args:
        runs: The runs of a pipeline, the newest first.
        keep: This many of the newest stay; None: the number keeps none.
        since: Runs whose summary, or folder, is no older than this stay, in seconds since 1970;
            None: age keeps none.
        served: The version that is served, whose run stays.
    """
    chosen = []
    for index, run in enumerate(runs):
        stays = (
            index == 0
            or (keep is not None and index < keep)
            or (since is not None and run.place.folder.stat().st_mtime >= since)
            or run.status == "running"
            or (run.status == "pushed" and run.version == served)
            or (run.place.folder / PIN_FILE).exists()
        )
        if not stays:
            chosen.append(run)
    return chosen


def plan_pruning(home: Path, chosen: Sequence[Run]) -> Pruning:
    """Finds what goes with some runs of a pipeline."""
    place = RunPlace(home, "")
    artifacts: dict[int, Path] = {}
    folders: list[Path] = []
    if chosen and place.metadata.exists():
        store = _open_store(place.metadata)
        gone = {run.place.run_id for run in chosen}
        kept = {run.place.run_id for run in list_runs(home)} - gone
        executions = _executions(store, gone)
        used = _artifacts_of(store, _executions(store, kept).keys())
        unused = _artifacts_of(store, executions.keys()) - used
        found = store.get_artifacts_by_id(unused)
        artifacts = {each.id: Path(each.uri) for each in found if each.state != _DELETED}
        folders = [uri for uri in artifacts.values() if uri.is_relative_to(place.artifacts)]
        folders += _working_folders(place.artifacts, executions)
    there = tuple(folder for folder in folders if folder.exists())
    size = sum(map(folder_size, [*there, *(run.place.folder for run in chosen)]))
    return Pruning(home, tuple(chosen), tuple(artifacts), there, size)


def prune(plan: Pruning) -> None:
    """Removes it; killed half-way, the next time goes on. OSError where something cannot go."""
    for folder in plan.folders:
        shutil.rmtree(folder)
    if plan.artifacts:
        store = _open_store(RunPlace(plan.home, "").metadata)
        artifacts = store.get_artifacts_by_id(plan.artifacts)
        for artifact in artifacts:
            artifact.state = _DELETED
        store.put_artifacts(artifacts)
    # The last: a run that is listed is one whose artifacts are still looked for.
    for run in plan.runs:
        shutil.rmtree(run.place.folder)


def _open_store(path: Path) -> metadata_store.MetadataStore:
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    return metadata_store.MetadataStore(config)


def _executions(store: metadata_store.MetadataStore, run_ids: Iterable[str]) -> dict[int, str]:
    """Execution ids of runs, with the node of each."""
    found: dict[int, str] = {}
    for run_id in run_ids:
        context = store.get_context_by_type_and_name(PIPELINE_RUN_CONTEXT_TYPE_NAME, run_id)
        if context:
            executions = store.get_executions_by_context(context.id)
            found |= {each.id: each.type.rpartition(".")[2] for each in executions}
    return found


def _artifacts_of(store: metadata_store.MetadataStore, executions: Collection[int]) -> set[int]:
    if not executions:
        return set()
    return {each.artifact_id for each in store.get_events_by_execution_ids(list(executions))}


def _working_folders(artifacts: Path, executions: dict[int, str]) -> list[Path]:
    """What executors had for themselves: `<node>/.system/<kind>/<execution>`."""
    return [
        folder
        for number, node in executions.items()
        for folder in (artifacts / node / ".system").glob(f"*/{number}")
    ]


def folder_size(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
