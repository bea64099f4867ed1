"""Judges quarantine and anomalies."""

import json
import os
from dataclasses import asdict
from typing import Any

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from darkroom.components.data_gate.anomalies import Anomaly, read_anomalies
from darkroom.components.data_gate.gate import (
    check_anomalies,
    check_classes,
    check_quarantine,
    check_splits,
)
from darkroom.components.image_example_gen.quarantine import IngestSummary, read_summary

RESULT_FILE = "gate.json"


class Executor(BaseExecutor):
    """Raises when the data are not fit to train on; writes what it saw when they are."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills `blessing`; DataGateError where the data are not fit to train on."""
        self._log_startup(input_dict, output_dict, exec_properties)
        quarantine = artifact_utils.get_single_uri(input_dict["quarantine"])
        anomalies_uri = artifact_utils.get_single_uri(input_dict["anomalies"])
        summary = read_summary(quarantine)
        check_quarantine(summary, exec_properties["max_quarantined"], quarantine)
        check_classes(summary)
        check_splits(summary)
        anomalies = read_anomalies(anomalies_uri)
        kinds = frozenset(json.loads(exec_properties["fatal"]))
        features = frozenset(json.loads(exec_properties["fatal_features"]))
        check_anomalies([a for a in anomalies if a.is_fatal(kinds, features)], anomalies_uri)
        _bless(artifact_utils.get_single_instance(output_dict["blessing"]), summary, anomalies)


def _bless(blessing: Artifact, summary: IngestSummary, anomalies: list[Anomaly]) -> None:
    fileio.makedirs(blessing.uri)
    result = {"ingest": summary.model_dump(), "anomalies": [asdict(a) for a in anomalies]}
    with fileio.open(os.path.join(blessing.uri, RESULT_FILE), "w") as file:
        file.write(json.dumps(result, indent=2) + "\n")
    blessing.set_int_custom_property("blessed", 1)
    blessing.set_int_custom_property("quarantined", summary.quarantined)
    blessing.set_int_custom_property("anomalies", len(anomalies))
    blessing.set_int_custom_property("duplicates", summary.duplicates)
    blessing.set_int_custom_property("conflicting_labels", summary.conflicting_labels)
