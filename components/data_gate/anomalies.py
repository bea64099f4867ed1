"""Reads what ExampleValidator found."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.io import fileio

_FILE: Final = "SchemaDiff.pb"
_FOLDER: Final = "Split-"


@dataclass(frozen=True)
class Anomaly:
    """One deviation from the schema.

    Args:
        feature: Name of the feature; empty for the data set as a whole.
        kind: Name in `AnomalyInfo.Type`.
    """

    split: str
    feature: str
    kind: str
    description: str

    def is_fatal(self, kinds: frozenset[str], features: frozenset[str]) -> bool:
        """Whether it is of one of the kinds, and in one of the features or in none."""
        return self.kind in kinds and (not self.feature or self.feature in features)


def read_anomalies(uri: str) -> list[Anomaly]:
    """All anomalies of an ExampleAnomalies artifact, by split and feature."""
    folders = sorted(name.rstrip("/") for name in fileio.listdir(uri))
    return [
        anomaly
        for folder in folders
        if folder.startswith(_FOLDER)
        for anomaly in _read_split(os.path.join(uri, folder, _FILE), folder[len(_FOLDER) :])
    ]


def _read_split(path: str, split: str) -> list[Anomaly]:
    with fileio.open(path, "rb") as file:
        found = anomalies_pb2.Anomalies.FromString(file.read())
    anomalies = list(_reasons(found.dataset_anomaly_info, split, ""))
    for feature in sorted(found.anomaly_info):
        anomalies.extend(_reasons(found.anomaly_info[feature], split, feature))
    return anomalies


def _reasons(info: anomalies_pb2.AnomalyInfo, split: str, feature: str) -> Iterator[Anomaly]:
    for reason in info.reason:
        kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
        yield Anomaly(split, feature, kind, " ".join(reason.description.split()))
