import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from darkroom.components.image_example_gen.shards import (
    SHARD_ROWS,
    ShardPlan,
    ShardWriter,
    count_shards,
    hash_row,
)
from darkroom.components.image_example_gen.sources.source import Row


@pytest.fixture
def plan(tmp_path):
    folders = {split: tmp_path / split for split in ("train", "eval")}
    for folder in folders.values():
        folder.mkdir()
    names = {split: str(folder) for split, folder in folders.items()}
    return ShardPlan(names, str(tmp_path / "unfinished"), 2)


def read(plan):
    return {
        split: {
            path.rpartition("/")[2]: list(tf.data.TFRecordDataset(path).as_numpy_iterator())
            for path in tf.io.gfile.glob(f"{folder}/*")
        }
        for split, folder in plan.folders.items()
    }


def write(plan, content):
    with ShardWriter(plan, 1) as writer:
        writer.write("train", content)


def test_a_shard_has_a_file_in_each_split_and_a_second_try_replaces_it(plan):
    name = "data_tfrecord-00001-of-00002"
    for content in (b"first", b"second"):
        write(plan, content)
        assert read(plan) == {"train": {name: [content]}, "eval": {name: []}}


def test_a_shard_that_fails_is_not_there(plan):
    with pytest.raises(KeyError), ShardWriter(plan, 0) as writer:
        writer.write("train", b"written")
        writer.write("no such split", b"")
    assert read(plan) == {"train": {}, "eval": {}}


@given(path=st.text(st.characters()), count=st.integers(1, 1000))
def test_a_row_has_one_place_in_one_order_over_all_shards(path, count):
    row = Row(1, path, "a")
    position = hash_row(row)
    assert 0 <= position < 1
    assert position == hash_row(Row(2, path, "b"))
    assert ShardPlan({}, "", count).place(row) == int(position * count) < count


@pytest.mark.parametrize(
    ("rows", "shards"), [(0, 1), (1, 1), (SHARD_ROWS, 1), (SHARD_ROWS + 1, 2), (10**6, 1000)]
)
def test_shards_are_as_many_as_the_rows_fill(rows, shards):
    assert count_shards(rows) == shards
