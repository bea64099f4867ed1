import json

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import standard_artifacts

from darkroom.components.artifacts import DataBlessing, Quarantine
from darkroom.components.data_gate.anomalies import Anomaly, read_anomalies
from darkroom.components.data_gate.executor import Executor
from darkroom.components.data_gate.gate import (
    DataGateError,
    check_anomalies,
    check_classes,
    check_quarantine,
    check_splits,
)
from darkroom.components.errors import ComponentError
from darkroom.components.image_example_gen.quarantine import IngestSummary, summarize, write_summary
from darkroom.components.validation import ValidationConfig

ENUM = "ENUM_TYPE_UNEXPECTED_STRING_VALUES"


def summary(train=80, eval=20, **reasons):
    counts = {"train": train, "eval": eval, **reasons}
    return summarize({("cat", outcome): count for outcome, count in counts.items()})


def anomalies_of(**kinds):
    """An Anomalies proto with one reason for each feature."""
    found = anomalies_pb2.Anomalies()
    for feature, kind in kinds.items():
        found.anomaly_info[feature].reason.add(
            type=anomalies_pb2.AnomalyInfo.Type.Value(kind), description=f"about\n {feature}."
        )
    return found


def write_split(folder, split, found):
    (folder / f"Split-{split}").mkdir(parents=True)
    (folder / f"Split-{split}" / "SchemaDiff.pb").write_bytes(found.SerializeToString())


def gate(folder, ingest: IngestSummary, max_quarantined=0.05, fatal=(ENUM,)):
    quarantine, blessing = Quarantine(), DataBlessing()
    anomalies = standard_artifacts.ExampleAnomalies()
    (folder / "quarantine").mkdir()
    write_summary(str(folder / "quarantine"), ingest)
    for artifact, name in ((quarantine, "quarantine"), (anomalies, "anomalies")):
        artifact.uri = str(folder / name)
    blessing.uri = str(folder / "blessing")
    Executor().Do(
        {"quarantine": [quarantine], "anomalies": [anomalies]},
        {"blessing": [blessing]},
        {
            "max_quarantined": max_quarantined,
            "fatal": json.dumps(fatal),
            "fatal_features": json.dumps(ValidationConfig().fatal_features),
        },
    )
    return blessing


def test_the_message_names_share_limit_reasons_and_place():
    with pytest.raises(DataGateError) as caught:
        found = summary(train=800, eval=88, not_an_image=12, missing_file=100)
        check_quarantine(found, 0.05, "runs/q")
    assert isinstance(caught.value, ComponentError)
    assert str(caught.value) == (
        "data.max_quarantined: 112 of 1000 rows (11.2%) are unusable, more than 5.0%: "
        "missing_file 100, not_an_image 12; see runs/q/quarantine.jsonl, or raise "
        "data.max_quarantined"
    )


@pytest.mark.parametrize(("bad", "limit", "passes"), [(5, 0.05, True), (6, 0.05, False)])
def test_the_limit_itself_passes(bad, limit, passes):
    found = summary(train=100 - bad, eval=0, empty_file=bad)
    if passes:
        check_quarantine(found, limit, "q")
    else:
        with pytest.raises(DataGateError):
            check_quarantine(found, limit, "q")


def test_a_limit_of_zero_lets_no_row_go():
    check_quarantine(summary(), 0.0, "q")
    with pytest.raises(DataGateError, match=r"1 of 101 rows"):
        check_quarantine(summary(empty_label=1), 0.0, "q")


@pytest.mark.parametrize(("train", "eval", "empty"), [(0, 3, "train"), (3, 0, "eval")])
def test_an_empty_split_is_refused(train, eval, empty):
    with pytest.raises(DataGateError, match=rf"data\.eval_fraction: the {empty} split is empty"):
        check_splits(summary(train, eval))


def test_a_class_without_an_example_is_refused():
    counts = {("cat", "train"): 900, ("cat", "eval"): 90, ("cat", "empty_file"): 3}
    check_classes(summarize(counts))
    said = r"not one of the 3 images of class 'dog' .*: empty_file 1, unsupported_format 2; convert"
    with pytest.raises(DataGateError, match=said):
        check_classes(
            summarize({**counts, ("dog", "unsupported_format"): 2, ("dog", "empty_file"): 1})
        )


def test_anomalies_are_read_by_split(tmp_path):
    write_split(tmp_path, "train", anomalies_pb2.Anomalies())
    found = anomalies_of(label=ENUM, bytes="INT_TYPE_BIG_INT")
    found.dataset_anomaly_info.reason.add(
        type=anomalies_pb2.AnomalyInfo.DATASET_LOW_NUM_EXAMPLES, description="few"
    )
    write_split(tmp_path, "eval", found)
    assert read_anomalies(str(tmp_path)) == [
        Anomaly("eval", "", "DATASET_LOW_NUM_EXAMPLES", "few"),
        Anomaly("eval", "bytes", "INT_TYPE_BIG_INT", "about bytes."),
        Anomaly("eval", "label", ENUM, "about label."),
    ]


@pytest.mark.parametrize(
    ("feature", "kind", "fatal"),
    [
        ("label", ENUM, True),
        ("", ENUM, True),
        ("source", ENUM, False),
        ("label", "SCHEMA_NEW_COLUMN", False),
    ],
)
def test_kind_and_feature_decide(feature, kind, fatal):
    anomaly = Anomaly("eval", feature, kind, "")
    assert anomaly.is_fatal(frozenset([ENUM]), frozenset(["label"])) is fatal


def test_the_message_names_the_first_anomaly():
    found = [Anomaly("eval", "label", ENUM, "New value: 'x'."), Anomaly("eval", "", "X", "")]
    with pytest.raises(DataGateError) as caught:
        check_anomalies(found, "runs/a")
    assert str(caught.value).startswith(
        f"validation.fatal: {ENUM} in feature 'label' of split 'eval': New value: 'x' (and 1 more);"
    )
    assert "runs/a" in str(caught.value)


def test_good_data_are_blessed_and_the_rest_is_reported(tmp_path):
    write_split(tmp_path / "anomalies", "train", anomalies_of(source=ENUM))
    write_split(tmp_path / "anomalies", "eval", anomalies_of(mean="SCHEMA_NEW_COLUMN"))
    blessing = gate(tmp_path, summary(empty_file=2))
    names = ("blessed", "quarantined", "anomalies", "duplicates", "conflicting_labels")
    assert [blessing.get_int_custom_property(name) for name in names] == [1, 2, 2, 0, 0]
    written = json.loads((tmp_path / "blessing" / "gate.json").read_text())
    assert written["ingest"]["reasons"] == {"empty_file": 2}
    assert [a["feature"] for a in written["anomalies"]] == ["mean", "source"]


@pytest.mark.parametrize(
    ("ingest", "words"),
    [
        (summary(empty_file=20), "data.max_quarantined"),
        (summary(train=0), "data.eval_fraction"),
        (summary(), "validation.fatal"),
    ],
)
def test_bad_data_raise(tmp_path, ingest, words):
    write_split(tmp_path / "anomalies", "eval", anomalies_of(label=ENUM))
    with pytest.raises(DataGateError, match=words):
        gate(tmp_path, ingest)
    assert not (tmp_path / "blessing").exists()
