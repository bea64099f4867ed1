import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from darkroom.components.image_example_gen import quarantine as ingest
from darkroom.components.run_report import loading


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
