from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from darkroom.tests.artifacts import serialize_example
from darkroom.tests.images import encode, encode_with_orientation, pixels
from darkroom.tests.transform_graphs import build_transform_output
from darkroom.trainer.errors import InputError
from darkroom.trainer.examples import find_undecodable, read_examples
from darkroom.transform.config import TransformConfig
from darkroom.transform.features import IMAGE_XF, LABEL_VOCABULARY, LABEL_XF
from darkroom.transform.images import decode_images

TRANSFORM = TransformConfig(image_height=40, image_width=32, resize="pad")
MATERIALIZED = TRANSFORM.model_copy(update={"materialize": True})
IMAGES = [
    encode(pixels(seed=1)),
    encode_with_orientation(pixels(seed=2), 6),
    encode(pixels(seed=3), "BMP"),
    encode(pixels(seed=4), "JPEG"),
]
LABELS = ["b", "a", "b", "b"]


def write_raw(path: Path, images: Sequence[bytes], labels: Sequence[str]) -> str:
    """Writes what ImageExampleGen writes; returns the path."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            writer.write(serialize_example(image, label, f"{number}.png"))
    return str(path)


def write_materialized(path: Path, rows: Sequence[dict[str, np.ndarray]]) -> str:
    """Writes what Transform materializes; returns the path."""
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for row in rows:
            image = tf.train.BytesList(value=[row[IMAGE_XF]])
            label = tf.train.Int64List(value=[int(row[LABEL_XF])])
            features = {
                IMAGE_XF: tf.train.Feature(bytes_list=image),
                LABEL_XF: tf.train.Feature(int64_list=label),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return str(path)


def decoded(patterns, classes, transform, seed=None):
    """Images and labels of all examples."""
    encoded, decode = read_examples(patterns, classes, transform, seed)
    pairs = [(decode(image).numpy(), int(label)) for image, label in encoded]
    return np.stack([image for image, _ in pairs]), [label for _, label in pairs]


@pytest.fixture(scope="module")
def materialized(tmp_path_factory):
    """The vocabulary, and what Transform wrote."""
    folder = tmp_path_factory.mktemp("transform")
    output, rows = build_transform_output(folder, IMAGES, LABELS, MATERIALIZED)
    names = [name.decode() for name in output.vocabulary_by_name(LABEL_VOCABULARY)]
    return names, write_materialized(folder / "a.gz", rows)


def test_training_and_serving_see_the_same_tensor(materialized, tmp_path):
    classes, written = materialized
    served, valid = decode_images(tf.constant(IMAGES), 40, 32, "pad")
    assert valid.numpy().all()
    raw = write_raw(tmp_path / "a", IMAGES, LABELS)
    for pattern, transform in ((raw, TRANSFORM), (written, MATERIALIZED)):
        images, labels = decoded([pattern], classes, transform)
        np.testing.assert_array_equal(images, served.numpy())
        assert [classes[label] for label in labels] == LABELS


def test_examples_come_in_the_order_of_the_files_but_for_training(tmp_path):
    classes = [str(number) for number in range(20)]
    for first in range(0, 20, 2):
        write_raw(tmp_path / f"a-{first:02}", IMAGES[:2], classes[first : first + 2])
    pattern = str(tmp_path / "a-*")
    labels = list(range(20))
    assert decoded([pattern], classes, TRANSFORM)[1] == labels
    encoded, _ = read_examples([pattern], classes, TRANSFORM, seed=1)
    first, second = ([int(label) for _, label in encoded] for _ in range(2))
    assert sorted(first) == sorted(second) == labels
    assert len({tuple(labels), tuple(first), tuple(second)}) == 3


def test_labels_unknown_to_training_are_left_out(tmp_path):
    pattern = write_raw(tmp_path / "a", IMAGES, ["a", "new", "b", "a"])
    assert decoded([pattern], ["a", "b"], TRANSFORM)[1] == [0, 1, 0]


@pytest.mark.parametrize("labels", [[], ["new"]])
def test_nothing_to_learn_from_is_an_error(tmp_path, labels):
    pattern = write_raw(tmp_path / "a", IMAGES[: len(labels)], labels)
    with pytest.raises(InputError, match=r"no example with a known label in .*more images"):
        read_examples([pattern], ["a"], TRANSFORM)


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no file matches .*nothing-\*"):
        read_examples([str(tmp_path / "nothing-*")], ["a"], TRANSFORM)


def test_an_image_that_cannot_be_decoded_is_found(tmp_path):
    whole = write_raw(tmp_path / "whole", IMAGES, LABELS)
    broken = write_raw(tmp_path / "broken", [IMAGES[0], b"broken"], ["a", "b"])
    assert find_undecodable([whole]) == ""
    assert find_undecodable([whole, broken]) == "1.png"
