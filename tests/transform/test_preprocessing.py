import pytest
import tensorflow as tf

from darkroom.tests.images import encode, pixels
from darkroom.tests.transform_graphs import build_transform_output
from darkroom.transform import features
from darkroom.transform.config import TransformConfig

IMAGES = [encode(pixels(seed=number)) for number in range(3)]
PLAIN = TransformConfig(image_height=40, image_width=32)
MATERIALIZED = PLAIN.model_copy(update={"materialize": True})


@pytest.fixture(scope="module", params=[PLAIN, MATERIALIZED], ids=["plain", "materialized"])
def transformed(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transform")
    labels = ["b", "a", "b"]
    return request.param, *build_transform_output(folder, IMAGES, labels, request.param)


def test_pixels_are_written_only_where_they_are_asked_for(transformed):
    config, _, rows = transformed
    assert all((features.IMAGE_XF in row) == config.materialize for row in rows)


def test_labels_are_numbered_by_frequency(transformed):
    _, output, rows = transformed
    assert output.vocabulary_by_name(features.LABEL_VOCABULARY) == [b"b", b"a"]
    assert [int(row[features.LABEL_XF]) for row in rows] == [0, 1, 0]


def test_a_label_unseen_in_training_is_numbered_minus_one(transformed):
    _, output, _ = transformed
    layer = output.transform_features_layer()
    raw = {features.IMAGE: tf.constant([IMAGES[0]]), features.LABEL: tf.constant(["new"])}
    assert layer(raw)[features.LABEL_XF].numpy().tolist() == [-1]


def test_materialized_an_image_that_cannot_be_decoded_is_numbered_minus_one(transformed):
    config, output, _ = transformed
    layer = output.transform_features_layer()
    raw = {
        features.IMAGE: tf.constant([b"broken", IMAGES[0]]),
        features.LABEL: tf.constant(["b", "b"]),
    }
    expected = [-1, 0] if config.materialize else [0, 0]
    assert layer(raw)[features.LABEL_XF].numpy().tolist() == expected
