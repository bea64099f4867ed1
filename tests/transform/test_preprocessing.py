import numpy as np
import pytest
import tensorflow as tf

from darkroom.tests.images import encode, encode_with_orientation, pixels
from darkroom.tests.transform_graphs import build_transform_output
from darkroom.transform import features
from darkroom.transform.config import TransformConfig
from darkroom.transform.images import decode_images

CONFIG = TransformConfig(image_height=40, image_width=32, resize="pad")
IMAGES = [
    encode(pixels(seed=1)),
    encode_with_orientation(pixels(seed=2), 6),
    encode(pixels(seed=3), "BMP"),
]


@pytest.fixture(scope="module")
def transformed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transform")
    return build_transform_output(folder, IMAGES, ["b", "a", "b"], CONFIG)


def test_training_and_serving_see_the_same_tensor(transformed):
    _, rows = transformed
    at_serving, valid = decode_images(tf.constant(IMAGES), 40, 32, "pad")
    assert valid.numpy().all()
    for row, served in zip(rows, at_serving.numpy(), strict=True):
        trained = tf.io.parse_tensor(row[features.IMAGE_XF], tf.uint8)
        np.testing.assert_array_equal(trained, served)


def test_labels_are_numbered_by_frequency(transformed):
    output, rows = transformed
    assert output.vocabulary_by_name(features.LABEL_VOCABULARY) == [b"b", b"a"]
    assert [int(row[features.LABEL_XF]) for row in rows] == [0, 1, 0]


def test_a_label_unseen_in_training_is_numbered_minus_one(transformed):
    output, _ = transformed
    layer = output.transform_features_layer()
    raw = {features.IMAGE: tf.constant([IMAGES[0]]), features.LABEL: tf.constant(["new"])}
    assert layer(raw)[features.LABEL_XF].numpy().tolist() == [-1]


def test_an_image_that_cannot_be_decoded_is_numbered_minus_one(transformed):
    output, _ = transformed
    layer = output.transform_features_layer()
    raw = {
        features.IMAGE: tf.constant([b"broken", IMAGES[0]]),
        features.LABEL: tf.constant(["b", "b"]),
    }
    assert layer(raw)[features.LABEL_XF].numpy().tolist() == [-1, 0]
