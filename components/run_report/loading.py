"""Reading what the nodes wrote; every file is as its node's contract says, and small."""

import json
from itertools import islice
from pathlib import Path
from typing import Final

import yaml
from tensorflow_metadata.proto.v0 import anomalies_pb2

from darkroom.components.run_report.data import Anomaly, Quarantine, RejectedRow

FIRST_ROWS: Final = 20
"""Quarantined rows that the page shows."""


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
