"""`summary.json`: what a run did, for programs.

Schema:
    run_id: str.
    config: path of the recipe; recipe: what it says, defaults included.
    commit: Git's name for the state of the recipe's folder, `-dirty` behind it where files had
        been changed since; null outside of Git. data_fingerprint: 64 hexadecimal digits.
    status: `pushed`, `unchanged`, `not_blessed`, `withdrawn` or `failed`.
    error: one line; empty unless `failed`, or the reason of `not_blessed` or `withdrawn`.
    components: `[{"name": str, "seconds": float, "cached": bool}]`, in the order they ran.
    examples: `{"train": int, "eval": int, "test": int, "quarantined": int}`; null: not known.
    metrics, baseline_metrics: `{metric: float}` on all of test, else all of eval, or null.
    notes: sentences about the training: a phase that stopped early, a model that learned nothing.
    pushed_version: int, and pushed_path: str, of the version that is this model, or null.
    artifacts: `{node: {key: [path]}}`, what each node made or took from the cache.
    report: path of the HTML page, or null.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkroom.records.artifacts import find_file, find_record
from darkroom.records.counts import ExampleCounts
from darkroom.records.evaluation import METRICS_FILE, Evaluation
from darkroom.records.push import PushOutcome
from darkroom.records.run import NodeResult
from darkroom.records.training import HISTORY_FILE, TrainingRecord
from darkroom.storage.whole_files import replace_text

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"
_HELD_BACK = ("not_blessed", "withdrawn")
_IN_PLACE = ("pushed", "unchanged")


def summarize(results: Sequence[NodeResult], expected: Sequence[str]) -> dict[str, Any]:
    """Condenses the nodes' results.

    Args:
        results: Results of the nodes that ran, in order.
        expected: Ids of all nodes of the DAG.

    Returns:
        The schema above without `run_id`, `report` and what the recipe and its folder tell.
    """
    artifacts = _list_artifacts(results)
    push = find_record(PushOutcome.read, artifacts)
    evaluation = find_file(METRICS_FILE, Evaluation.read, artifacts)
    training = find_file(HISTORY_FILE, TrainingRecord.read, artifacts)
    failed = next((result for result in results if result.state == "failed"), None)
    ran = {result.name for result in results}
    missing = [name for name in expected if name not in ran]
    status = "failed" if failed or missing else push.state if push else None
    held_back = push.reason if push and status in _HELD_BACK else ""
    return {
        "status": status,
        "error": _error(failed, missing) or held_back,
        "components": [
            {
                "name": result.name,
                "seconds": round(result.seconds, 3),
                "cached": result.state == "cached",
            }
            for result in results
        ],
        "examples": asdict(ExampleCounts.read(artifacts)),
        "metrics": evaluation.overall.candidate if evaluation else None,
        "baseline_metrics": evaluation.overall.baseline if evaluation else None,
        "notes": [
            *(training.early_stops if training else ()),
            *([evaluation.learned_nothing] if evaluation and evaluation.learned_nothing else ()),
        ],
        "pushed_version": push.version if push and push.state in _IN_PLACE else None,
        "pushed_path": push.destination if push and push.state in _IN_PLACE else None,
        "artifacts": {
            result.name: {key: [each.uri for each in made] for key, made in result.outputs.items()}
            for result in results
        },
    }


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Writes the file whole or not at all, and points `latest` beside the folder to the folder."""
    replace_text(folder / SUMMARY_FILE, json.dumps(summary, indent=2) + "\n")
    latest = folder.parent / "latest"
    link = folder.parent / f".latest-{folder.name}"
    link.symlink_to(folder.name)
    link.replace(latest)


def _list_artifacts(results: Sequence[NodeResult]) -> list["Artifact"]:
    return [
        artifact
        for result in results
        for artifacts in result.outputs.values()
        for artifact in artifacts
    ]


def _error(failed: NodeResult | None, missing: Sequence[str]) -> str:
    if failed:
        return f"{failed.name}: {failed.error}"
    return f"{', '.join(missing)} did not run" if missing else ""
