"""`summary.json`: what a run did, for programs.

Schema:
    run_id: str.
    config: path of the recipe; recipe: what it says, defaults included.
    status: `pushed`, `unchanged`, `not_blessed`, `withdrawn` or `failed`.
    error: one line; empty unless `failed`, or the reason of `not_blessed` or `withdrawn`.
    components: `[{"name": str, "seconds": float, "cached": bool}]`, in the order they ran.
    examples: `{"train": int, "eval": int, "quarantined": int}`, null what is not known.
    metrics, baseline_metrics: `{metric: float}` on the whole eval split, or null.
    notes: sentences about the training: a phase that stopped early, a model that learned nothing.
    pushed_version: int, or null; pushed_path: str, or null.
    report: path of the HTML page, or null.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darkroom.runner.nodes import NodeResult
from darkroom.storage.whole_files import replace_text

SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"
_METRICS_FILE = "metrics.json"
_HISTORY_FILE = "history.json"
_HELD_BACK = ("not_blessed", "withdrawn")


def summarize(results: Sequence[NodeResult], expected: Sequence[str]) -> dict[str, Any]:
    """Condenses the nodes' results.

    Args:
        results: Results of the nodes that ran, in order.
        expected: Ids of all nodes of the DAG.

    Returns:
        The schema above without `run_id`, `config`, `recipe` and `report`.
    """
    by_name = {result.name: result for result in results}
    examples = _property_reader(by_name, "ImageExampleGen", "examples")
    quarantine = _property_reader(by_name, "ImageExampleGen", "quarantine")
    pushed = _property_reader(by_name, "Pusher", "pushed_model")
    evaluation = _read_file(by_name, "Evaluator", "evaluation_result", _METRICS_FILE)
    failed = next((result for result in results if result.state == "failed"), None)
    missing = [name for name in expected if name not in by_name]
    status = "failed" if failed or missing else pushed("push_state")
    return {
        "status": status,
        "error": _error(failed, missing) or (pushed("reason") if status in _HELD_BACK else ""),
        "components": [
            {
                "name": result.name,
                "seconds": round(result.seconds, 3),
                "cached": result.state == "cached",
            }
            for result in results
        ],
        "examples": {
            "train": examples("examples_train"),
            "eval": examples("examples_eval"),
            "quarantined": quarantine("quarantined"),
        },
        "metrics": evaluation["candidate"]["overall"] if evaluation else None,
        "baseline_metrics": (
            evaluation["baseline"]["overall"] if evaluation and evaluation["baseline"] else None
        ),
        "notes": _read_notes(by_name, evaluation),
        "pushed_version": pushed("pushed_version") or None,
        "pushed_path": pushed("pushed_destination") or None,
    }


def write_summary(folder: Path, summary: dict[str, Any]) -> Path:
    """Writes the file whole or not at all, and points `latest` beside the folder to the folder."""
    path = folder / SUMMARY_FILE
    replace_text(path, json.dumps(summary, indent=2) + "\n")
    latest = folder.parent / "latest"
    link = folder.parent / f".latest-{folder.name}"
    link.symlink_to(folder.name)
    link.replace(latest)
    return path


def copy_report(folder: Path, results: Sequence[NodeResult]) -> Path | None:
    """Copies the page that RunReport wrote into the run's folder."""
    for result in results:
        for artifact in result.outputs.get("report", ()):
            page = folder / REPORT_FILE
            replace_text(page, (Path(artifact.uri) / "index.html").read_text(encoding="utf-8"))
            return page
    return None


def _error(failed: NodeResult | None, missing: Sequence[str]) -> str:
    if failed:
        return f"{failed.name}: {failed.error}"
    return f"{', '.join(missing)} did not run" if missing else ""


def _property_reader(by_name: dict[str, NodeResult], node: str, output: str) -> Any:
    """A function from the name of an artifact's custom property to its value, or None."""
    artifacts = by_name[node].outputs.get(output, []) if node in by_name else []

    def read(name: str) -> Any:
        if not artifacts or not artifacts[0].has_custom_property(name):
            return None
        value = artifacts[0].mlmd_artifact.custom_properties[name]
        return getattr(value, value.WhichOneof("value"))

    return read


def _read_notes(by_name: dict[str, NodeResult], evaluation: dict[str, Any] | None) -> list[str]:
    history = _read_file(by_name, "Trainer", "model_run", _HISTORY_FILE) or {}
    learned_nothing = (evaluation or {}).get("learned_nothing")
    return [*history.get("early_stops", ()), *([learned_nothing] if learned_nothing else ())]


def _read_file(
    by_name: dict[str, NodeResult], node: str, output: str, name: str
) -> dict[str, Any] | None:
    """A JSON file in what a node made, or None."""
    artifacts = by_name[node].outputs.get(output, []) if node in by_name else []
    path = Path(artifacts[0].uri) / name if artifacts else None
    return json.loads(path.read_text()) if path and path.is_file() else None
