import keras
import numpy as np
import pytest
import tensorflow as tf

from darkroom.serving.model_server.servables.saved_model import SavedModel
from darkroom.serving.signatures import ExportError, export
from darkroom.tests.images import encode, pixels
from darkroom.tests.transform_graphs import build_transform_output
from darkroom.transform import features
from darkroom.transform.config import TransformConfig

CONFIG = TransformConfig(image_height=32, image_width=32)
IMAGES = [encode(pixels(seed=seed)) for seed in range(4)]


def small_model(outputs: int) -> keras.Model:
    image = keras.Input((32, 32, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(image)
    embedding = keras.layers.GlobalAveragePooling2D()(scaled)
    head = keras.layers.Dense(
        outputs, "softmax", kernel_initializer=keras.initializers.RandomNormal(stddev=3.0, seed=1)
    )
    return keras.Model(image, [head(embedding), embedding])


@pytest.fixture(scope="module")
def transform_output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transform")
    return build_transform_output(folder, IMAGES, ["cat", "dog", "cat", "dog"], CONFIG)[0]


def load(model, transform_output, path):
    export(model, transform_output, CONFIG, path)
    return tf.saved_model.load(str(path)).signatures


@pytest.fixture(scope="module")
def softmax(transform_output, tmp_path_factory):
    model = small_model(2)
    return model, load(model, transform_output, tmp_path_factory.mktemp("softmax"))


def example(image: bytes, label: str) -> bytes:
    def of(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    named = {features.IMAGE: of(image), features.LABEL: of(label.encode())}
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


def test_the_four_signatures_are_there(softmax):
    _, signatures = softmax
    assert set(signatures) >= {"serving_default", "serve_examples", "transform_features", "embed"}


def test_serving_answers_what_the_model_says(softmax):
    model, signatures = softmax
    answer = signatures["serving_default"](image_bytes=tf.constant(IMAGES))
    decoded = tf.stack(
        [tf.image.resize(pixels(seed=s), (32, 32), antialias=True) for s in range(4)]
    )
    expected = model(tf.saturate_cast(tf.round(decoded), tf.uint8))[0].numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-6)
    names = np.array([b"dog", b"cat"] if answer["classes"][0][0] == b"dog" else [b"cat", b"dog"])
    np.testing.assert_array_equal(answer["label"], names[expected.argmax(axis=1)])
    np.testing.assert_allclose(answer["score"], expected.max(axis=1), atol=1e-6)


def test_a_batch_with_one_broken_image_answers_for_the_others(softmax):
    _, signatures = softmax
    whole = signatures["serving_default"](image_bytes=tf.constant(IMAGES))
    mixed = signatures["serving_default"](image_bytes=tf.constant([IMAGES[0], b"x", *IMAGES[2:]]))
    assert mixed["valid"].numpy().tolist() == [True, False, True, True]
    assert (mixed["label"][1], mixed["score"][1]) == (b"", 0.0)
    assert not mixed["probabilities"][1].numpy().any()
    for row in (0, 2, 3):
        np.testing.assert_allclose(
            mixed["probabilities"][row], whole["probabilities"][row], atol=1e-6
        )


def test_examples_and_images_are_answered_alike(softmax):
    _, signatures = softmax
    by_image = signatures["serving_default"](image_bytes=tf.constant(IMAGES[:2]))
    serialized = [example(IMAGES[0], "cat"), example(IMAGES[1], "whatever")]
    by_example = signatures["serve_examples"](examples=tf.constant(serialized))
    np.testing.assert_array_equal(by_image["probabilities"], by_example["probabilities"])


def test_transform_features_numbers_the_label(softmax):
    _, signatures = softmax
    serialized = [example(IMAGES[0], "cat"), example(IMAGES[1], "unheard of")]
    transformed = signatures["transform_features"](examples=tf.constant(serialized))
    known, unknown = transformed[features.LABEL_XF].numpy().reshape(-1)
    assert known in (0, 1)
    assert unknown == -1


def test_embed_gives_the_embedding(softmax):
    _, signatures = softmax
    embedded = signatures["embed"](image_bytes=tf.constant([IMAGES[0], b"x"]))
    assert embedded["embedding"].shape == (2, 3)
    assert embedded["valid"].numpy().tolist() == [True, False]
    assert not embedded["embedding"][1].numpy().any()


def test_a_model_for_other_classes_is_refused(transform_output, tmp_path):
    with pytest.raises(ExportError, match="3 outputs for 2 classes"):
        export(small_model(3), transform_output, CONFIG, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_function_without_variables_is_exported_too(transform_output, tmp_path):
    def network(images):
        embedding = tf.reduce_mean(tf.cast(images, tf.float32) / 255, axis=(1, 2))
        return tf.nn.softmax(embedding[:, :2]), embedding

    signatures = load(network, transform_output, tmp_path)
    answer = signatures["serving_default"](image_bytes=tf.constant(IMAGES))
    embedding = signatures["embed"](image_bytes=tf.constant(IMAGES))["embedding"]
    np.testing.assert_allclose(answer["probabilities"], tf.nn.softmax(embedding[:, :2]), rtol=1e-6)


@pytest.mark.parametrize("name", ["serving_default", "embed", "serve_examples"])
def test_no_images_have_no_answers(convolutional, name):
    (given,) = convolutional.signature_defs[name].inputs
    outputs = convolutional.run(name, {given: np.empty(0, object)})
    one = convolutional.run(name, {given: np.array(_ONE_ROW[given], object)})
    assert {key: array.shape for key, array in outputs.items()} == {
        key: (0, *array.shape[1:]) for key, array in one.items()
    }


_ONE_ROW = {"image_bytes": IMAGES[:1], "examples": [example(IMAGES[0], "cat")]}


@pytest.fixture(scope="module")
def convolutional(transform_output, tmp_path_factory):
    """With the layers that TensorFlow fuses, and then fails on without an image."""
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    for layer in (keras.layers.Conv2D(16, 3), keras.layers.DepthwiseConv2D(3)):
        x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(layer(x)))
    embedding = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, [keras.layers.Dense(2, "softmax")(embedding), embedding])
    path = tmp_path_factory.mktemp("convolutional")
    export(model, transform_output, CONFIG, path)
    return SavedModel(path)
