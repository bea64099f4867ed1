"""Reading what the nodes wrote; every file is as its node's contract says, and small."""

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import yaml
from tensorflow_metadata.proto.v0 import anomalies_pb2

from darkroom.components.run_report.data import (
    Anomaly,
    ConfusionMatrix,
    Epoch,
    Evaluation,
    Failure,
    History,
    Quarantine,
    RejectedRow,
    Slice,
)

METRICS_FILE: Final = "metrics.json"
HISTORY_FILE: Final = "history.json"
FIRST_ROWS: Final = 20
"""Quarantined rows that the page shows."""


def load_evaluation(folder: Path) -> Evaluation:
    """Read `metrics.json` of Evaluator."""
    read = json.loads((folder / METRICS_FILE).read_text())
    candidate, baseline, gate = read["candidate"], read.get("baseline"), read["gate"]
    known = {entry["slice"]: entry["metrics"] for entry in (baseline or {}).get("slices", ())}
    matrix = read.get("confusion_matrix") or {}
    return Evaluation(
        overall=Slice("overall", candidate["overall"], baseline and baseline["overall"]),
        slices=tuple(
            Slice(entry["slice"], entry["metrics"], known.get(entry["slice"]))
            for entry in candidate["slices"]
        ),
        confusion=_matrix(matrix) if any(map(any, matrix.get("counts", ()))) else None,
        baseline_state=gate["baseline"],
        blessed=gate["blessed"],
        failures=tuple(Failure(**failure) for failure in gate["failures"]),
        learned_nothing=read.get("learned_nothing", ""),
    )


def _matrix(read: Mapping[str, Any]) -> ConfusionMatrix:
    counts = tuple(tuple(int(count) for count in row) for row in read["counts"])
    return ConfusionMatrix(tuple(read["classes"]), counts)


def load_history(folder: Path) -> History:
    """Read `history.json` of the trainer."""
    read = json.loads((folder / HISTORY_FILE).read_text())
    names = ("loss", "val_loss", "accuracy", "val_accuracy")
    epochs = tuple(
        Epoch(epoch["phase"], **{name: epoch.get(name) for name in names})
        for epoch in read["epochs"]
    )
    best = read.get("best", {}).get("epoch")
    return History(epochs, best, read.get("seconds"), tuple(read.get("early_stops", ())))


def load_quarantine(folder: Path) -> Quarantine:
    """Read the summary and the first rows of ImageExampleGen's quarantine."""
    summary = json.loads((folder / "summary.json").read_text())
    with (folder / "quarantine.jsonl").open() as file:
        first = tuple(RejectedRow(**json.loads(line)) for line in islice(file, FIRST_ROWS))
    reasons = sorted(summary["reasons"].items(), key=lambda reason: (-reason[1], reason[0]))
    notes = (("duplicates", "duplicates"), ("conflicting labels", "conflicting_labels"))
    return Quarantine(
        rows=summary["rows"],
        quarantined=summary["quarantined"],
        reasons=tuple(reasons),
        first=first,
        notes=tuple((name, summary[key]) for name, key in notes if summary.get(key)),
    )


def load_anomalies(folder: Path) -> tuple[Anomaly, ...]:
    """Read the anomalies of every split that ExampleValidator looked at."""
    return tuple(
        Anomaly(path.parent.name.removeprefix("Split-"), feature, info.short_description, detail)
        for path in sorted(folder.glob("Split-*/SchemaDiff.pb"))
        for feature, info, detail in _anomalies(path)
    )


def _anomalies(path: Path) -> list[tuple[str, anomalies_pb2.AnomalyInfo, str]]:
    read = anomalies_pb2.Anomalies.FromString(path.read_bytes())
    found = [
        (feature, info, info.description) for feature, info in sorted(read.anomaly_info.items())
    ]
    if read.HasField("dataset_anomaly_info"):
        info = read.dataset_anomaly_info
        found.append(("(whole split)", info, info.description))
    return found


def format_recipe(recipe: str) -> str:
    """A recipe in JSON as YAML, in the order of its keys; any other text stays as it is."""
    try:
        return yaml.safe_dump(json.loads(recipe), sort_keys=False, allow_unicode=True)
    except ValueError:
        return recipe
