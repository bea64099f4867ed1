"""What a run would do: which nodes come from the cache, which would run, and why.

TFX's own launcher decides, on a copy of ML Metadata and below another root, up to where it would
start an executor; so nothing is left behind, and no rule of its cache is told twice.
"""

import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import launcher, runtime_parameter_utils

from darkroom.runner.local import launcher_arguments

_WORDS: Mapping[str, str] = {"source": "its code", "content": "the file that it reads"}


@dataclass(frozen=True)
class PlannedNode:
    """One node; `reason` says why it would run, and is empty where it would not."""

    name: str
    cached: bool
    reason: str = ""


class _WouldRun(Exception):
    """The node is not in the cache; `properties` are those of its execution."""

    def __init__(self, properties: Mapping[str, Any]):
        super().__init__()
        self.properties = properties


class _Looker(launcher.Launcher):
    """Does all that a launcher does up to the executor."""

    def _run_executor(self, execution_info: Any) -> Any:
        raise _WouldRun(execution_info.exec_properties)


def plan_run(pipeline: Pipeline, uncached: Collection[str]) -> list[PlannedNode]:
    """Looks at every node of a pipeline; those in `uncached` never come from the cache."""
    recorded = Path(pipeline.metadata_connection_config.sqlite.filename_uri)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "metadata.sqlite"
        if recorded.exists():
            shutil.copyfile(recorded, copy)
        pipeline.pipeline_info.pipeline_root = scratch
        pipeline.metadata_connection_config.sqlite.filename_uri = str(copy)
        compiled = compiler.Compiler().compile(pipeline)
        run_parameter = {constants.PIPELINE_RUN_ID_PARAMETER_NAME: "dry-run"}
        runtime_parameter_utils.substitute_runtime_parameter(compiled, run_parameter)
        return _plan_nodes(compiled, frozenset(uncached))


def _plan_nodes(pipeline: Any, uncached: frozenset[str]) -> list[PlannedNode]:
    planned: list[PlannedNode] = []
    runs: set[str] = set()
    for node in (each.pipeline_node for each in pipeline.nodes):
        name = node.node_info.id
        awaited = [upstream for upstream in node.upstream_nodes if upstream in runs]
        if name in uncached:
            reason = "it always does"
        elif awaited:
            reason = f"after {awaited[0]}"
        else:
            reason = _look(pipeline, node)
        if reason:
            runs.add(name)
        planned.append(PlannedNode(name, not reason, reason))
    return planned


def _look(pipeline: Any, node: Any) -> str:
    """Why a node would run; empty where it comes from the cache."""
    arguments = launcher_arguments(pipeline, node)
    with arguments["mlmd_connection"] as handle:
        before = _last_properties(handle.store, node.node_info.type.name)
    try:
        _Looker(**arguments).launch()
    except _WouldRun as found:
        return _explain(before, {key: str(value) for key, value in found.properties.items()})
    return ""


def _last_properties(store: Any, type_name: str) -> dict[str, str] | None:
    """Execution properties of a node's newest success; None where it has had none."""
    done = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
    succeeded = [
        each for each in store.get_executions_by_type(type_name) if each.last_known_state in done
    ]
    if not succeeded:
        return None
    newest = max(succeeded, key=lambda each: each.id)
    return {
        name: str(getattr(value, value.WhichOneof("value")))
        for name, value in newest.custom_properties.items()
    }


def _explain(before: Mapping[str, str] | None, now: Mapping[str, str]) -> str:
    if before is None:
        return "it has not run yet"
    changed = [name for name, value in now.items() if before.get(name) != value]
    if changed:
        return f"changed: {', '.join(_WORDS.get(name, name) for name in changed)}"
    return "its inputs are others, or what it made is gone"
