import csv
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tfx.types import artifact_utils, standard_artifacts

from darkroom.components.artifacts import Quarantine
from darkroom.components.image_example_gen import shards
from darkroom.components.image_example_gen.component import ImageExampleGen
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.errors import DataClassesError
from darkroom.components.image_example_gen.executor import Executor
from darkroom.components.image_example_gen.quarantine import read_rows, read_summary
from darkroom.tests.images import encode, pixels
from darkroom.transform.features import DESCRIPTORS, IMAGE, IMAGE_PATH, LABEL

REASONS = {
    "missing.png": "missing_file",
    "empty.png": "empty_file",
    "text.png": "not_an_image",
    "cut.png": "not_an_image",
    "image.webp": "unsupported_format",
    "../secret.png": "path_outside_data",
    "/secret.png": "path_outside_data",
}
IMAGES = {f"bild {n} ü.png": encode(pixels(seed=n)) for n in range(4)} | {
    "copy of 0.png": encode(pixels(seed=0)),
    "photo.jpg": encode(pixels(seed=9), "JPEG"),
}


def write_files(folder):
    for name, content in IMAGES.items():
        (folder / name).write_bytes(content)
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("no image")
    (folder / "cut.png").write_bytes(encode(pixels())[:-9])
    (folder / "image.webp").write_bytes(encode(pixels(), "WEBP"))


def ingest(config, output, fingerprint="known"):
    examples, quarantine = standard_artifacts.Examples(), Quarantine()
    examples.uri, quarantine.uri = str(output / "examples"), str(output / "quarantine")
    Executor(Executor.Context()).Do(
        {},
        {"examples": [examples], "quarantine": [quarantine]},
        {"config": config.ingest_json(), "fingerprint": fingerprint},
    )
    return examples, quarantine


def read_examples(artifact):
    """Examples by split, each a dict of feature name to its single value."""
    return {
        split: [_values(record) for record in _records(artifact, split)]
        for split in artifact_utils.decode_split_names(artifact.split_names)
    }


def _records(artifact, split):
    pattern = artifact_utils.get_split_uri([artifact], split) + "/*"
    files = sorted(tf.io.gfile.glob(pattern))
    return tf.data.TFRecordDataset(files).as_numpy_iterator() if files else []


def _values(record):
    features = tf.train.Example.FromString(record).features.feature
    values = {name: getattr(f, f.WhichOneof("kind")).value for name, f in features.items()}
    assert all(len(value) == 1 for value in values.values())
    return {name: value[0] for name, value in values.items()}


row = st.tuples(
    st.sampled_from(sorted(IMAGES) + sorted(REASONS)), st.sampled_from(["cat", "Hündin", "", "  "])
)


@settings(max_examples=5)
@given(rows=st.lists(row, max_size=30), skip=st.booleans())
def test_rows_in_are_examples_plus_quarantined_plus_skipped(tmp_path_factory, rows, skip):
    folder = tmp_path_factory.mktemp("data")
    write_files(folder)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image_path", "label"), *rows])
    config = DataConfig(path=folder, eval_fraction=0.5, test_fraction=0.2, skip_unlabelled=skip)
    examples, quarantine = ingest(config, folder / "out")
    by_split = read_examples(examples)
    written = [example for split in by_split.values() for example in split]

    good = [(path, label) for path, label in rows if path in IMAGES and label.strip()]
    expected = {
        number: "empty_label" if not label.strip() else REASONS[path]
        for number, (path, label) in enumerate(rows, start=2)
        if (path, label) not in good and (label.strip() or not skip)
    }
    found = [(e[IMAGE_PATH].decode(), e[LABEL].decode()) for e in written]
    assert Counter(found) == Counter(good)
    assert {line.row: line.reason for line in read_rows(quarantine.uri)} == expected

    summary = read_summary(quarantine.uri)
    counts = (summary.rows, summary.examples, summary.quarantined, summary.skipped)
    skipped = sum(skip and not label.strip() for _, label in rows)
    assert counts == (len(rows), len(good), len(expected), skipped)
    assert counts[0] == sum(counts[1:])
    assert summary.splits == {split: len(found) for split, found in by_split.items()}
    assert list(summary.splits) == ["train", "eval", "test"]
    assert summary.reasons == Counter(expected.values())
    labels = {}
    for path, label in good:
        labels.setdefault(IMAGES[path], []).append(label)
    assert summary.duplicates == len(good) - len(labels)
    assert summary.conflicting_labels == sum(len(set(found)) > 1 for found in labels.values())
    seen = [{e[IMAGE] for e in split} for split in by_split.values()]
    assert sum(map(len, seen)) == len(set().union(*seen)), "no image is in two splits"


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A CSV with group and metadata, and a broken row in the middle; already ingested."""
    folder = tmp_path_factory.mktemp("digits")
    write_files(folder)
    lines = [f"bild {n} ü.png,{'ab'[n % 2]},day {n // 2},{n}" for n in range(4)]
    lines.insert(2, "text.png, b ,day 0,9")
    header = "image_path,label,day,number"
    (folder / "labels.csv").write_text("\n".join([header, *lines]), encoding="utf-8-sig")
    config = DataConfig(
        path=folder, group_column="day", metadata_columns=("number",), eval_fraction=0.5
    )
    return config, *ingest(config, folder / "out")


def test_the_artifacts_say_what_they_hold(digits):
    _, examples, quarantine = digits
    summary = read_summary(quarantine.uri)
    assert examples.get_int_custom_property("examples_train") == summary.splits["train"]
    assert examples.get_int_custom_property("examples_eval") == summary.splits["eval"]
    assert examples.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"
    assert examples.get_string_custom_property("file_format") == "tfrecords_gzip"
    numbers = [quarantine.get_int_custom_property(n) for n in ("rows", "examples", "quarantined")]
    assert numbers == [5, 4, 1]


def test_an_example_has_the_image_and_its_description(digits):
    config, examples, _ = digits
    written = [example for split in read_examples(examples).values() for example in split]
    assert {e["number"] for e in written} == {b"0", b"1", b"2", b"3"}
    for example in written:
        assert set(example) == {IMAGE, LABEL, IMAGE_PATH, "number", *DESCRIPTORS}
        content = (config.path / example[IMAGE_PATH].decode()).read_bytes()
        assert example[IMAGE] == content
        assert (example["height"], example["width"], example["channels"]) == (20, 30, 3)
        assert example["bytes"] == len(content)
        assert 0 < example["mean"] < 255


def test_a_group_is_not_torn_apart(digits):
    _, examples, _ = digits
    splits = [{int(e["number"]) // 2 for e in split} for split in read_examples(examples).values()]
    assert not splits[0] & splits[1]


def test_the_quarantine_names_row_and_reason(digits):
    line = json.loads((digits[0].path / "out/quarantine/quarantine.jsonl").read_text())
    assert line == {
        "row": 4,
        "image_path": "text.png",
        "label": "b",
        "reason": "not_an_image",
        "detail": "no known image format",
    }


def test_the_same_input_gives_the_same_files(digits, tmp_path):
    config, examples, _ = digits
    again, _ = ingest(config, tmp_path)

    def read(artifact):
        files = [path for path in Path(artifact.uri).rglob("*") if path.is_file()]
        return {path.relative_to(artifact.uri): path.read_bytes() for path in files}

    assert read(examples) == read(again)


def test_classes_are_mixed_over_shards_of_about_the_same_size(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 50)
    content = encode(pixels())
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(100):
            # Behind its end a PNG may hold anything: different bytes, different splits.
            file = tmp_path / "data" / label / f"{number}.png"
            file.write_bytes(content + str((label, number)).encode())
    config = DataConfig(path=tmp_path / "data", format="folders", eval_fraction=0.5)
    examples, _ = ingest(config, tmp_path)
    files = sorted(path for path in Path(examples.uri).rglob("*") if path.is_file())
    assert len({path.name for path in files}) == 4
    assert len(files) == 8
    for file in files:
        labels = [_values(r)[LABEL] for r in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()]
        assert 10 < len(labels) < 40
        changes = sum(a != b for a, b in pairwise(labels))
        assert len(labels) / 4 < changes


def test_class_folders_are_ingested(tmp_path):
    for number, name in enumerate(["ä/1.png", "ä/deep/2.png", "b/3.png", "b/notes.png"]):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        content = b"text" if "notes" in name else encode(pixels(seed=number))
        (tmp_path / "data" / name).write_bytes(content)
    config = DataConfig(path=tmp_path / "data", format="folders")
    examples, quarantine = ingest(config, tmp_path)
    written = [e for split in read_examples(examples).values() for e in split]
    assert {(e[IMAGE_PATH].decode(), e[LABEL].decode()) for e in written} == {
        ("ä/1.png", "ä"),
        ("ä/deep/2.png", "ä"),
        ("b/3.png", "b"),
    }
    assert [(r.row, r.image_path) for r in read_rows(quarantine.uri)] == [(2, "b/notes.png")]


def test_names_that_are_not_utf8_are_quarantined(tmp_path):
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "\udcff.png").write_bytes(encode(pixels()))
    (tmp_path / "data" / "a" / "b.png").write_bytes(encode(pixels()))
    config = DataConfig(path=tmp_path / "data", format="folders")
    _, quarantine = ingest(config, tmp_path)
    assert [line.reason for line in read_rows(quarantine.uri)] == ["unreadable"]
    assert read_summary(quarantine.uri).examples == 1


def test_without_a_fingerprint_the_data_are_checked_first(tmp_path):
    (tmp_path / "labels.csv").write_text("image_path,label\n1.png,a\n2.png,a\n")
    with pytest.raises(DataClassesError, match="only one class, 'a'"):
        ingest(DataConfig(path=tmp_path), tmp_path / "out", fingerprint="")
    assert not (tmp_path / "out").exists()


def test_the_node_passes_configuration_and_fingerprint():
    config = DataConfig(path="data", eval_fraction=0.3)
    node = ImageExampleGen(config, "abc")
    assert node.exec_properties == {"config": config.ingest_json(), "fingerprint": "abc"}
    assert node.outputs["examples"].type is standard_artifacts.Examples
    assert node.outputs["quarantine"].type is Quarantine
