import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2

from darkroom.components.image_example_gen import quarantine as ingest
from darkroom.components.run_report import loading
from darkroom.components.run_report.data import ClassCount, Data
from darkroom.components.validation import image_stats_options
from darkroom.tests.components.run_report.pages import mistakes_of
from darkroom.tests.images import encode, pixels


def test_quarantine_as_the_ingest_writes_it(tmp_path):
    rows = [
        ingest.RejectedRow(
            row=row, image_path=f"{row}.png", label="a", reason="missing_file", detail=""
        )
        for row in range(30)
    ]
    counts = {
        ("a", "train"): 60, ("a", "eval"): 10, ("a", "missing_file"): 30, ("", "duplicates"): 4,
    }  # fmt: skip
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


def test_pictures_of_quarantined_files(tmp_path):
    whole = encode(pixels(200, 200), "JPEG")
    images = {"cut.jpg": whole[: len(whole) // 2], "text.jpg": b"no image", "linked.jpg": whole}
    for name, content in images.items():
        (tmp_path / name).write_bytes(content)
    reasons = {"cut.jpg": "not_an_image", "text.jpg": "not_an_image"}
    rows = [
        ingest.RejectedRow(
            row=0,
            image_path=name,
            label="a",
            reason=reasons.get(name, "path_outside_data"),
            detail="",
        )
        for name in (*images, "absent.jpg")
    ]
    ingest.write_rows(str(tmp_path), rows)
    ingest.write_summary(str(tmp_path), ingest.summarize({("a", "not_an_image"): 2}))
    first = loading.load_quarantine(tmp_path, tmp_path).first
    assert [row.image_path for row in first if row.picture] == ["cut.jpg"]
    assert first[0].width == 176


def test_classes_are_counted_in_every_split(tmp_path):
    for split, labels in (("train", "aaab"), ("eval", "bbbbcc")):
        frame = pd.DataFrame({"label": list(labels)})
        statistics = tfdv.generate_statistics_from_dataframe(frame, image_stats_options())
        (tmp_path / f"Split-{split}").mkdir()
        file = tmp_path / f"Split-{split}" / "FeatureStats.pb"
        file.write_bytes(statistics.SerializeToString())
    assert loading.load_classes(tmp_path) == (
        ClassCount("b", {"train": 1, "eval": 4}),
        ClassCount("a", {"train": 3}),
        ClassCount("c", {"eval": 2}),
    )
    assert Data(classes=loading.load_classes(tmp_path)).splits == ("train", "eval")


def test_mistakes_that_were_written_are_read(tmp_path):
    assert loading.load_mistakes(tmp_path) is None
    loading.write_mistakes(tmp_path, mistakes_of())
    assert loading.load_mistakes(tmp_path) == mistakes_of()


@pytest.mark.parametrize(
    ("recipe", "shown"),
    [
        ({"b": {"x": 1}, "a": [1.5, "é"]}, "b:\n  x: 1\na:\n- 1.5\n- é\n"),
        ({}, ""),
    ],
)
def test_recipe(recipe, shown):
    assert loading.format_recipe(recipe) == shown
