"""Files that hold the images themselves: TFRecord of tf.Example, and WebDataset's tar files."""

import io
import json
import tarfile

import pytest
import tensorflow as tf

from darkroom.components.image_example_gen.check import check
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet, keep_open
from darkroom.components.image_example_gen.errors import DataError
from darkroom.components.image_example_gen.fingerprint import fingerprint
from darkroom.components.image_example_gen.inspection import inspect
from darkroom.storage.object_store import upload_folder
from darkroom.tests.components.image_example_gen.test_executor import ingest, read_examples
from darkroom.tests.images import encode, pixels
from darkroom.transform.features import IMAGE, LABEL

IMAGES = [encode(pixels(seed=n), ("PNG", "JPEG")[n % 2]) for n in range(12)]
LABELS = ["cat" if n % 3 else "dog" for n in range(12)]


def write_records(path, numbers, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = "GZIP" if path.name.endswith(".gz") else ""
    with tf.io.TFRecordWriter(str(path), packed) as writer:
        for number in numbers:
            example = tf.train.Example()
            feature = example.features.feature
            feature["image/encoded"].bytes_list.value.append(IMAGES[number])
            feature["image/class/text"].bytes_list.value.append(LABELS[number].encode())
            feature["image/class/label"].int64_list.value.append(LABELS[number] == "cat")
            feature["who"].bytes_list.value.append(b"p%d" % (number // 2))
            for key, value in more.items():
                feature[key].bytes_list.value.append(value)
            writer.write(example.SerializeToString())


def write_shard(path, numbers, label=lambda n: {"cls": LABELS[n]}):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as packed:
        for number in numbers:
            extension = ("png", "jpg")[number % 2]
            members = {extension: IMAGES[number], **label(number)}
            for key, content in members.items():
                content = content if isinstance(content, bytes) else content.encode()
                member = tarfile.TarInfo(f"x/{number:06}.{key}")
                member.size = len(content)
                packed.addfile(member, io.BytesIO(content))


RECORDS = {"format": "tfrecord", "image_column": "image/encoded",
           "label_column": "image/class/text"}  # fmt: skip


@pytest.fixture(params=["tfrecord", "gzip", "webdataset"])
def data(request, tmp_path):
    """The recipe's section, and what writes a shard."""
    if request.param != "webdataset":
        suffix = ".tfrecord" if request.param == "tfrecord" else "_tfrecord-00000-of-00001.gz"
        return {"path": tmp_path, **RECORDS}, write_records, suffix
    return {"path": tmp_path, "format": "webdataset"}, write_shard, ".tar"


def test_the_images_are_read_out_of_the_files(data, tmp_path):
    section, write, suffix = data
    write(tmp_path / f"a-0{suffix}", range(7))
    write(tmp_path / f"deep/a-1{suffix}", range(7, 12))
    config = DataConfig(**section)
    with keep_open(config):
        assert check(config)[:2] == (12, {"cat": 8, "dog": 4})
        examples, _ = ingest(config, tmp_path / "out", fingerprint(config))
    found = [(e[IMAGE], e[LABEL].decode()) for split in read_examples(examples).values()
             for e in split]  # fmt: skip
    assert sorted(found) == sorted(zip(IMAGES, LABELS, strict=True))


def test_they_are_the_same_in_a_bucket(data, tmp_path, bucket):
    section, write, suffix = data
    write(tmp_path / f"data/a{suffix}", range(12))
    here = DataConfig(**{**section, "path": tmp_path / "data"})
    upload_folder(here.path, "s3://bucket/data")
    there = DataConfig(**{**section, "path": "s3://bucket/data"})
    assert list(DataSet(there).list_rows()) == list(DataSet(here).list_rows())
    assert inspect(there).summary() == inspect(here).summary()


def test_a_file_called_as_a_split_is_given(data, tmp_path):
    section, write, suffix = data
    for split, numbers in (("train", range(6)), ("test", range(6, 12))):
        write(tmp_path / f"flowers-{split}{suffix}", numbers)
    found = inspect(DataConfig(**section)).summary()
    assert found.splits["test"] == 6 and found.splits["train"] + found.splits["eval"] == 6


def test_one_changed_byte_is_seen(data, tmp_path):
    section, write, suffix = data
    write(tmp_path / f"a{suffix}", range(12))
    before = fingerprint(DataConfig(**section))
    write(tmp_path / f"a{suffix}", [*range(11), 0])
    assert fingerprint(DataConfig(**section)) != before


def test_the_newest_spans_are_taken(data, tmp_path):
    section, write, suffix = data
    for span, numbers in (("span-1", [0, 1]), ("span-9", [2, 3]), ("span-10", [4, 5, 6])):
        write(tmp_path / span / f"a{suffix}", numbers)
    counts = [len(list(DataSet(DataConfig(**section, newest_spans=n)).list_rows()))
              for n in range(4)]  # fmt: skip
    assert counts == [7, 3, 5, 7]


def test_a_file_that_is_cut_off_is_one_line(data, tmp_path):
    section, write, suffix = data
    write(tmp_path / f"a{suffix}", range(12))
    content = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(content[: len(content) // 2 + 3])
    with pytest.raises(DataError, match=r"data\.path: 'a[._].*; write it anew") as caught:
        check(DataConfig(**section))
    assert "\n" not in str(caught.value)


def test_where_there_is_no_such_file_it_is_said(data):
    with pytest.raises(DataError, match=r"data\.path: no "):
        check(DataConfig(**data[0]))


def test_features_are_columns(tmp_path):
    write_records(tmp_path / "a.tfrecord", range(12))
    config = DataConfig(path=tmp_path, **RECORDS | {
        "label_column": "image/class/label", "group_column": "who", "metadata_columns": ("who",),
    })  # fmt: skip
    rows = list(DataSet(config).list_rows())
    assert [row.label for row in rows] == ["01"[label == "cat"] for label in LABELS]
    assert {(row.group, row.metadata) for row in rows} == {(f"p{n}", (f"p{n}",)) for n in range(6)}
    with pytest.raises(DataError, match=r"data\.image_column: .* it has: image/class/label, image"):
        check(DataConfig(path=tmp_path, format="tfrecord"))


@pytest.mark.parametrize(
    ("label", "expected", "problem"),
    [
        (lambda n: {"json": json.dumps({"label": LABELS[n]})}, {"cat", "dog"}, ""),
        (lambda n: {"json": json.dumps({"label": n % 2}), "txt": "a caption"}, {"0", "1"}, ""),
        (lambda n: {}, {""}, ""),
        (lambda n: {"json": "{"}, {""}, "the label cannot be read"),
        (lambda n: {"cls": "a", "seg.png": IMAGES[n]}, {"a"}, "2 images of that name"),
    ],
)
def test_labels_lie_beside_the_images(tmp_path, label, expected, problem):
    write_shard(tmp_path / "a.tar", range(12), label)
    rows = list(DataSet(DataConfig(path=tmp_path, format="webdataset")).list_rows())
    assert {row.label for row in rows} == expected
    assert all(row.problem.startswith(problem) and bool(row.problem) == bool(problem)
               for row in rows)  # fmt: skip
