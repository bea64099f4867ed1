import logging

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from darkroom.tests.images import encode, pixels
from darkroom.tests.trainer.test_examples import write_raw
from darkroom.trainer.augmentation.config import AugmentationConfig
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.examples import Examples, read_examples
from darkroom.trainer.input import eval_batches, train_batches
from darkroom.transform.config import TransformConfig

SHAPE = (4, 5, 3)
CLASSES = 10
CACHES = ("memory", "disk", "none")


def numbered_images(count: int) -> np.ndarray:
    """Image i is recognizable by its first pixel."""
    images = np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(count)
    return images


def as_examples(images: np.ndarray, labels: npt.ArrayLike) -> Examples:
    """Examples that are decoded as materialized ones are."""
    serialized = [tf.io.serialize_tensor(image).numpy() for image in images]
    pairs = tf.data.Dataset.from_tensor_slices((serialized, np.array(labels, np.int64)))
    shape = images.shape[1:]

    def parse(encoded: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.io.parse_tensor(encoded, tf.uint8), shape)

    return Examples(pairs, parse)


def config(**fields) -> TrainerConfig:
    return TrainerConfig(batch_size=4, **fields)


def collect(batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """All images, and the labels that the targets stand for."""
    pairs = [(images.numpy(), targets.numpy()) for images, targets in batches]
    targets = np.concatenate([y for _, y in pairs])
    assert np.all(np.sort(targets, axis=1) == np.eye(CLASSES)[-1])
    return np.concatenate([x for x, _ in pairs]), targets.argmax(axis=1)


@pytest.fixture
def examples():
    return as_examples(numbered_images(10), range(10))


@pytest.mark.parametrize("cache", CACHES)
def test_training_shuffles_anew_each_pass_and_loses_nothing(examples, cache, tmp_path):
    def two_passes(seed: int) -> list[list[int]]:
        settings = config(seed=seed, cache_images=cache)
        batches = train_batches(examples, settings, CLASSES, tmp_path)
        assert [len(labels) for _, labels in batches] == [4, 4, 2]
        return [collect(batches)[1].tolist() for _ in range(2)]

    first, second = two_passes(1)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert two_passes(1) == [first, second]
    assert two_passes(2) != [first, second]


@pytest.mark.parametrize("cache", CACHES)
def test_only_training_is_augmented(examples, cache, tmp_path):
    heavy = AugmentationConfig(rotation=90, brightness=0.5, horizontal_flip=True)
    settings = config(augmentation=heavy, cache_images=cache)
    for _ in range(2):
        images, labels = collect(eval_batches(examples, settings, CLASSES, tmp_path))
        np.testing.assert_array_equal(labels, np.arange(10))
        np.testing.assert_array_equal(images, numbered_images(10))
        images, labels = collect(train_batches(examples, settings, CLASSES, tmp_path))
        assert np.all(np.any(images != numbered_images(10)[labels], axis=(1, 2, 3)))


def test_images_are_not_varied_when_nothing_is_on(examples, tmp_path):
    images, labels = collect(train_batches(examples, config(), CLASSES, tmp_path))
    np.testing.assert_array_equal(images, numbered_images(10)[labels])


@pytest.mark.parametrize(
    ("fields", "decoded"),
    [
        ({}, 10),
        ({"cache_images": "disk"}, 10),
        ({"cache_images": "none"}, 30),
        # 1.1 MiB of images.
        ({"image_memory_mb": 1}, 30),
    ],
)
@pytest.mark.parametrize("make", [train_batches, eval_batches])
def test_images_are_decoded_once_where_they_are_kept(make, fields, decoded, tmp_path, caplog):
    large = as_examples(np.zeros((10, 200, 200, 3), np.uint8), range(10))
    count = tf.Variable(0)

    def decode_and_count(encoded: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([count.assign_add(1)]):
            return large.decode(encoded)

    counted = large._replace(decode=decode_and_count)
    with caplog.at_level(logging.INFO, "darkroom.progress"):
        batches = make(counted, config(**fields), CLASSES, tmp_path)
    for _ in range(3):
        assert len(collect(batches)[0]) == 10
    assert int(count) == decoded
    assert ("trainer.image_memory_mb is 1" in caplog.text) == ("image_memory_mb" in fields)


def test_a_shuffle_spans_what_the_memory_holds(tmp_path):
    large = as_examples(np.zeros((10, 300, 300, 3), np.uint8), range(10))
    settings = config(image_memory_mb=1, cache_images="none")
    order = collect(train_batches(large, settings, CLASSES, tmp_path))[1].tolist()
    assert order != list(range(10))
    assert all(label <= place + 2 for place, label in enumerate(order))


@pytest.mark.parametrize("augmented", [False, True])
@pytest.mark.parametrize("cache", CACHES)
def test_nothing_is_tuned_by_a_thread_that_freeing_an_iterator_waits_for(
    augmented, cache, tmp_path
):
    vary = AugmentationConfig(brightness=0.2 if augmented else 0)
    settings = config(augmentation=vary, cache_images=cache)
    pattern = write_raw(tmp_path / "a", [encode(pixels())], ["a"])
    examples = read_examples([pattern], ["a"], TransformConfig(), seed=1)
    for make in (train_batches, eval_batches):
        batches = make(examples, settings, CLASSES, tmp_path)
        assert batches.options().autotune.enabled is False


def test_targets_are_one_hot_and_a_label_that_is_no_class_has_none(tmp_path):
    examples = as_examples(numbered_images(3), [2, -1, 0])
    ((images, targets),) = eval_batches(examples, config(), 3, tmp_path)
    assert (images.dtype, targets.dtype) == (tf.uint8, tf.float32)
    np.testing.assert_array_equal(targets, [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
