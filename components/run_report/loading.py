"""Reading what the nodes wrote; every file is as its node's contract says, and small."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import yaml
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from darkroom.components.run_report.data import (
    Anomaly,
    ClassCount,
    Mistake,
    Mistakes,
    Quarantine,
    RejectedRow,
)
from darkroom.components.run_report.pictures import make_thumbnail
from darkroom.transform import features
from darkroom.transform.rejection import Reason

FIRST_ROWS: Final = 20
"""Quarantined rows that the page shows."""
MISTAKES_FILE: Final = "mistakes.json"
_PICTURES: Final = (Reason.NOT_AN_IMAGE, Reason.UNSUPPORTED_FORMAT)
"""Of rows refused for these reasons the file may show something, and its place has been checked."""


def load_quarantine(folder: Path, images: Path | None = None) -> Quarantine:
    """Reads the summary and the first rows of ImageExampleGen's quarantine.

    Args:
        folder: The artifact's.
        images: The data folder, where it is one of this machine; for pictures.
    """
    summary = json.loads((folder / "summary.json").read_text())
    with (folder / "quarantine.jsonl").open() as file:
        first = tuple(RejectedRow(**json.loads(line)) for line in islice(file, FIRST_ROWS))
    reasons = sorted(summary["reasons"].items(), key=lambda reason: (-reason[1], reason[0]))
    notes = (("duplicates", "duplicates"), ("conflicting labels", "conflicting_labels"))
    return Quarantine(
        rows=summary["rows"],
        quarantined=summary["quarantined"],
        reasons=tuple(reasons),
        first=tuple(_add_picture(row, images) for row in first) if images else first,
        notes=tuple((name, summary[key]) for name, key in notes if summary.get(key)),
    )


def _add_picture(row: RejectedRow, images: Path) -> RejectedRow:
    path = images / row.image_path
    if row.reason not in _PICTURES or not path.is_file():
        return row
    thumbnail = make_thumbnail(path.read_bytes(), partly=True)
    return replace(row, picture=thumbnail.uri, width=thumbnail.width) if thumbnail else row


def load_anomalies(folder: Path) -> tuple[Anomaly, ...]:
    """Reads the anomalies of every split that ExampleValidator looked at."""
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


def load_classes(folder: Path) -> tuple[ClassCount, ...]:
    """Reads how many examples of each class StatisticsGen saw in each split.

    It counts up to a thousand classes of a split.
    """
    counts: dict[str, dict[str, int]] = {}
    for path in folder.glob("Split-*/FeatureStats.pb"):
        split = path.parent.name.removeprefix("Split-")
        read = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
        for bucket in _label_buckets(read):
            counts.setdefault(bucket.label, {})[split] = round(bucket.sample_count)
    found = [ClassCount(name, by_split) for name, by_split in counts.items()]
    return tuple(sorted(found, key=lambda each: (-sum(each.counts.values()), each.name)))


def _label_buckets(statistics: Any) -> list[Any]:
    (dataset,) = statistics.datasets
    label = (f for f in dataset.features if list(f.path.step) == [features.LABEL])
    return [bucket for each in label for bucket in each.string_stats.rank_histogram.buckets]


def write_mistakes(folder: Path, mistakes: Mistakes) -> None:
    """Writes what RunReport found out by asking the model, for a page that is made later."""
    (folder / MISTAKES_FILE).write_text(json.dumps(asdict(mistakes)), encoding="utf-8")


def load_mistakes(folder: Path) -> Mistakes | None:
    """Reads that; None where there is nothing."""
    path = folder / MISTAKES_FILE
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return Mistakes(**content | {"worst": tuple(Mistake(**each) for each in content["worst"])})


def format_recipe(recipe: Mapping[str, Any]) -> str:
    """A recipe as YAML, in the order of its keys; empty for none."""
    return yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True) if recipe else ""
