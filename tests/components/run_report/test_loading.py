import json
import math

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from darkroom.components.image_example_gen import quarantine as ingest
from darkroom.components.run_report import loading
from darkroom.components.run_report.data import Epoch, Failure
from darkroom.trainer.history import EpochRecord
from darkroom.trainer.history import History as TrainerHistory

METRICS = {
    "candidate": {
        "overall": {"accuracy": 0.9, "example_count": 10},
        "slices": [
            {"slice": "label:3", "metrics": {"accuracy": 0.8}},
            {"slice": "label:new", "metrics": {"accuracy": 1.0}},
        ],
    },
    "baseline": {
        "overall": {"accuracy": 0.7},
        "slices": [{"slice": "label:3", "metrics": {"accuracy": 0.5}}],
    },
    "confusion_matrix": {"classes": ["3", "new"], "counts": [[4, 1], [0, 5]]},
    "gate": {
        "blessed": False,
        "baseline": "compared",
        "failures": [
            {
                "metric": "accuracy",
                "slice": "overall",
                "kind": "absolute",
                "bound": "≥ 0.95",
                "value": 0.9,
            }
        ],
    },
}


def write_metrics(folder, **changed):
    (folder / "metrics.json").write_text(json.dumps({**METRICS, **changed}))
    return folder


def test_evaluation(tmp_path):
    read = loading.load_evaluation(write_metrics(tmp_path))
    assert read.overall.candidate["accuracy"] == 0.9
    assert read.overall.baseline == {"accuracy": 0.7}
    assert [part.baseline for part in read.slices] == [{"accuracy": 0.5}, None]
    assert read.confusion.counts == ((4, 1), (0, 5))
    assert read.failures == (Failure("accuracy", "overall", "absolute", "≥ 0.95", 0.9),)
    assert not read.blessed


def test_evaluation_without_baseline_and_matrix(tmp_path):
    empty = {"classes": ["3"], "counts": [[0]]}
    read = loading.load_evaluation(write_metrics(tmp_path, baseline=None, confusion_matrix=empty))
    assert read.overall.baseline is None
    assert all(part.baseline is None for part in read.slices)
    assert read.confusion is None


def test_history_as_the_trainer_writes_it(tmp_path):
    records = [
        EpochRecord("head", 1, 2.0, 0.3, 1.9, 0.4, 1.5),
        EpochRecord("fine_tune", 2, 1.0, 0.8, math.nan, 0.7, 2.5),
    ]
    written = TrainerHistory(records, seconds=4.5).to_dict({})
    (tmp_path / "history.json").write_text(json.dumps(written))
    read = loading.load_history(tmp_path)
    assert read.epochs[0] == Epoch("head", 2.0, 1.9, 0.3, 0.4)
    assert math.isnan(read.epochs[1].val_loss)
    assert (read.best, read.seconds) == (1, 4.5)


def test_quarantine_as_the_ingest_writes_it(tmp_path):
    rows = [
        ingest.RejectedRow(
            row=row, image_path=f"{row}.png", label="a", reason="missing_file", detail=""
        )
        for row in range(30)
    ]
    counts = {"train": 60, "eval": 10, "missing_file": 30, "duplicates": 4}
    ingest.write_rows(str(tmp_path), rows)
    ingest.write_summary(str(tmp_path), ingest.summarize(counts))
    read = loading.load_quarantine(tmp_path)
    assert (read.rows, read.quarantined) == (100, 30)
    assert read.reasons == (("missing_file", 30),)
    assert [row.row for row in read.first] == list(range(loading.FIRST_ROWS))
    assert read.notes == (("duplicates", 4),)


def test_anomalies_of_every_split(tmp_path):
    anomalies = anomalies_pb2.Anomalies()
    anomalies.anomaly_info["width"].short_description = "Out-of-range values"
    anomalies.anomaly_info["width"].description = "Unexpectedly large value: 64."
    anomalies.dataset_anomaly_info.short_description = "Low num examples"
    for split, content in (("train", anomalies_pb2.Anomalies()), ("eval", anomalies)):
        (tmp_path / f"Split-{split}").mkdir()
        (tmp_path / f"Split-{split}" / "SchemaDiff.pb").write_bytes(content.SerializeToString())
    found = loading.load_anomalies(tmp_path)
    assert [(a.split, a.feature, a.summary) for a in found] == [
        ("eval", "width", "Out-of-range values"),
        ("eval", "(whole split)", "Low num examples"),
    ]


@pytest.mark.parametrize(
    ("recipe", "shown"),
    [
        ('{"b": {"x": 1}, "a": [1.5, "é"]}', "b:\n  x: 1\na:\n- 1.5\n- é\n"),
        ("not json", "not json"),
        ("", ""),
    ],
)
def test_recipe(recipe, shown):
    assert loading.format_recipe(recipe) == shown
