"""The data part of the DAG, run by TFX's local runner."""

import pytest
import tensorflow_data_validation as tfdv
from tfx.components import ExampleValidator, SchemaGen, StatisticsGen
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline

from darkroom.components.data_gate.anomalies import read_anomalies
from darkroom.components.data_gate.component import DataGate
from darkroom.components.data_gate.gate import DataGateError
from darkroom.components.image_example_gen.component import ImageExampleGen
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.quarantine import read_rows
from darkroom.components.validation import ValidationConfig, image_stats_options
from darkroom.tests.images import encode, pixels
from darkroom.transform.features import DESCRIPTORS, IMAGE, LABEL

GOOD = [(f"{n}.png", "ab"[n % 2]) for n in range(12)]


def run(folder, rows, max_quarantined):
    data = folder / "data"
    data.mkdir()
    for name, _ in GOOD:
        (data / name).write_bytes(encode(pixels(seed=int(name.split(".")[0]))))
    lines = [
        f"{path},{label},group {n % 4},{'val' if n % 3 else 'train'}\n"
        for n, (path, label) in enumerate(rows)
    ]
    (data / "labels.csv").write_text("image_path,label,source,part\n" + "".join(lines))
    config = DataConfig(
        path=data,
        metadata_columns=("source",),
        split_column="part",
        max_quarantined=max_quarantined,
    )
    LocalDagRunner().run(data_pipeline(config, folder / "root"))


def data_pipeline(config, root):
    ingest = ImageExampleGen(config, "fingerprint")
    options = image_stats_options(config.metadata_columns)
    statistics = StatisticsGen(ingest.outputs["examples"], stats_options=options)
    schema = SchemaGen(statistics.outputs["statistics"], exclude_splits=["eval"])
    validator = ExampleValidator(statistics.outputs["statistics"], schema.outputs["schema"])
    validation = ValidationConfig()
    gate = DataGate(
        quarantine=ingest.outputs["quarantine"],
        anomalies=validator.outputs["anomalies"],
        max_quarantined=config.max_quarantined,
        fatal=validation.fatal,
        fatal_features=validation.fatal_features,
    )
    return Pipeline(
        pipeline_name="data",
        pipeline_root=str(root),
        components=[ingest, statistics, schema, validator, gate],
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(root.parent / "metadata.sqlite")
        ),
    )


def uri(folder, node, output):
    (found,) = (folder / "root" / node / output).iterdir()
    return str(found)


def test_too_many_broken_rows_stop_the_run_and_stay_on_disk(tmp_path):
    broken = [("absent.png", "a"), ("labels.csv", "b"), ("0.png", " "), ("../x.png", "a")]
    with pytest.raises(DataGateError, match=r"4 of 16 rows \(25\.0%\)"):
        run(tmp_path, GOOD + broken, max_quarantined=0.2)
    kept = [line.reason for line in read_rows(uri(tmp_path, "ImageExampleGen", "quarantine"))]
    assert kept == ["missing_file", "not_an_image", "empty_label", "path_outside_data"]
    assert not list((tmp_path / "root" / "DataGate").rglob("gate.json"))


def test_a_fatal_anomaly_stops_the_run_and_stays_on_disk(tmp_path):
    rows = [(name, "unseen" if n % 3 else label) for n, (name, label) in enumerate(GOOD)]
    with pytest.raises(DataGateError, match=r"STRING_VALUES in feature 'label' of split 'eval'"):
        run(tmp_path, rows, max_quarantined=0.0)
    kept = read_anomalies(uri(tmp_path, "ExampleValidator", "anomalies"))
    assert ("eval", "label", "ENUM_TYPE_UNEXPECTED_STRING_VALUES") in {
        (anomaly.split, anomaly.feature, anomaly.kind) for anomaly in kept
    }
    profiled = tfdv.load_stats_binary(
        uri(tmp_path, "StatisticsGen", "statistics") + "/Split-train/FeatureStats.pb"
    ).datasets[0]
    by_name = {feature.path.step[0]: feature for feature in profiled.features}
    assert set(by_name) == {IMAGE, LABEL, *DESCRIPTORS, "source"}
    assert by_name[LABEL].string_stats.top_values
    assert not by_name[IMAGE].string_stats.top_values
    assert by_name[IMAGE].bytes_stats.max_num_bytes > 0
