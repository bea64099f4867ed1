from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from darkroom.trainer.augmentation.config import AugmentationConfig
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.errors import InputError
from darkroom.trainer.input import eval_batches, read_examples, train_batches
from darkroom.transform.features import IMAGE_XF, LABEL_XF

SHAPE = (4, 5, 3)
CLASSES = 10


def write_examples(path: Path, images: np.ndarray, labels: Sequence[int]) -> str:
    """Writes what Transform materializes; returns a pattern that finds it."""
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for image, label in zip(images, labels, strict=True):
            serialized = tf.io.serialize_tensor(tf.constant(image)).numpy()
            features = {
                IMAGE_XF: tf.train.Feature(bytes_list=tf.train.BytesList(value=[serialized])),
                LABEL_XF: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return str(path.parent / "*.gz")


def numbered_images(count: int) -> np.ndarray:
    """Image i is recognizable by its first pixel."""
    images = np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(count)
    return images


@pytest.fixture
def pattern(tmp_path):
    images = numbered_images(10)
    write_examples(tmp_path / "a-00000-of-00002.gz", images[:6], range(6))
    return write_examples(tmp_path / "a-00001-of-00002.gz", images[6:], range(6, 10))


def config(**fields) -> TrainerConfig:
    return TrainerConfig(batch_size=4, **fields)


def test_examples_come_as_written_from_all_files(pattern):
    pairs = list(read_examples([pattern], SHAPE))
    assert [int(label) for _, label in pairs] == list(range(10))
    np.testing.assert_array_equal([image for image, _ in pairs], numbered_images(10))


def collect(batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """All images, and the labels that the targets stand for."""
    pairs = [(images.numpy(), targets.numpy()) for images, targets in batches]
    targets = np.concatenate([y for _, y in pairs])
    assert np.all(np.sort(targets, axis=1) == np.eye(CLASSES)[-1])
    return np.concatenate([x for x, _ in pairs]), targets.argmax(axis=1)


@pytest.mark.parametrize("cache", [True, False])
def test_training_shuffles_anew_each_pass_and_loses_nothing(pattern, cache):
    def two_passes(seed: int) -> list[list[int]]:
        settings = config(seed=seed, cache_images=cache)
        batches = train_batches(read_examples([pattern], SHAPE), settings, CLASSES)
        assert [len(labels) for _, labels in batches] == [4, 4, 2]
        return [collect(batches)[1].tolist() for _ in range(2)]

    first, second = two_passes(1)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert two_passes(1) == [first, second]
    assert two_passes(2) != [first, second]


@pytest.mark.parametrize("cache", [True, False])
def test_only_training_is_augmented(pattern, cache):
    heavy = AugmentationConfig(rotation=90, brightness=0.5, horizontal_flip=True)
    settings = config(augmentation=heavy, cache_images=cache)
    examples = read_examples([pattern], SHAPE)
    for _ in range(2):
        images, labels = collect(eval_batches(examples, settings, CLASSES))
        np.testing.assert_array_equal(labels, np.arange(10))
        np.testing.assert_array_equal(images, numbered_images(10))
        images, labels = collect(train_batches(examples, settings, CLASSES))
        assert np.all(np.any(images != numbered_images(10)[labels], axis=(1, 2, 3)))


def test_images_are_not_varied_when_nothing_is_on(pattern):
    images, labels = collect(train_batches(read_examples([pattern], SHAPE), config(), CLASSES))
    np.testing.assert_array_equal(images, numbered_images(10)[labels])


@pytest.mark.parametrize("augmented", [False, True])
def test_nothing_is_tuned_by_a_thread_that_freeing_an_iterator_waits_for(pattern, augmented):
    settings = config(augmentation=AugmentationConfig(brightness=0.2 if augmented else 0))
    examples = read_examples([pattern], SHAPE)
    for make in (train_batches, eval_batches):
        batches = make(examples, settings, CLASSES)
        assert batches.options().autotune.enabled is False


def test_labels_unknown_to_training_are_left_out(tmp_path):
    pattern = write_examples(tmp_path / "a.gz", numbered_images(3), [0, -1, 1])
    assert [int(label) for _, label in read_examples([pattern], SHAPE)] == [0, 1]


@pytest.mark.parametrize("labels", [[], [-1]])
def test_nothing_to_learn_from_is_an_error(tmp_path, labels):
    pattern = write_examples(tmp_path / "a.gz", numbered_images(len(labels)), labels)
    with pytest.raises(InputError, match=r"no example with a known label in .*more images"):
        read_examples([pattern], SHAPE)


def test_targets_are_one_hot_and_a_label_that_is_no_class_has_none():
    examples = tf.data.Dataset.from_tensor_slices((numbered_images(3), [2, -1, 0]))
    ((images, targets),) = eval_batches(examples, config(), 3)
    assert (images.dtype, targets.dtype) == (tf.uint8, tf.float32)
    np.testing.assert_array_equal(targets, [[0, 0, 1], [0, 0, 0], [1, 0, 0]])


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no file matches .*nothing-\*"):
        read_examples([str(tmp_path / "nothing-*")], SHAPE)
