"""From a split's examples to batches for training and evaluation."""

import logging
import uuid
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from darkroom.trainer.augmentation.augment import augment_batches
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.examples import Examples

PROGRESS = logging.getLogger("darkroom.progress")


class _Size(NamedTuple):
    """Number of images, and bytes of all of them."""

    images: int
    total: int


def train_batches(
    examples: Examples, config: TrainerConfig, classes: int, scratch: Path
) -> tf.data.Dataset:
    """Shuffled, augmented batches of one pass: uint8 [N, H, W, 3] and float32 [N, classes].

    Labels become targets before augmentation, which may mix them.

    Args:
        examples: The split, or a worker's share of it.
        config: The recipe's `trainer` section.
        classes: How many there are.
        scratch: Folder for a cache on disk.
    """
    encoded, decoded = _measure(examples)
    if cached := _cache(examples, decoded, config, scratch):
        shuffled = _shuffle(cached, decoded, config)
    else:
        # Encoded, they are smaller, and so more of them are mixed in the same memory.
        mixed = _shuffle(examples.encoded, encoded, config)
        shuffled = _decode(examples._replace(encoded=mixed))
    batches = _batches(shuffled, config, classes)
    return augment_batches(batches, config.augmentation, config.seed).prefetch(tf.data.AUTOTUNE)


def eval_batches(
    examples: Examples, config: TrainerConfig, classes: int, scratch: Path
) -> tf.data.Dataset:
    """Batches in file order, as they are: uint8 [N, H, W, 3] and float32 [N, classes].

    The arguments are those of `train_batches`.
    """
    _, decoded = _measure(examples)
    pairs = _cache(examples, decoded, config, scratch) or _decode(examples)
    return _batches(pairs, config, classes).prefetch(tf.data.AUTOTUNE)


def _measure(examples: Examples) -> tuple[_Size, _Size]:
    """The sizes of all images, encoded and decoded; reads all of them once."""

    def add(sums: tf.Tensor, pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        return sums + tf.cast(tf.stack([1, tf.strings.length(pair[0])]), tf.int64)

    count, total = map(int, examples.encoded.reduce(tf.zeros(2, tf.int64), add).numpy())
    image, _ = _decode(examples).element_spec
    return _Size(count, total), _Size(count, count * image.shape.num_elements())


def _decode(examples: Examples) -> tf.data.Dataset:
    """Pairs of an image, uint8 [H, W, 3], and its label; as many at a time as there are cores."""
    return examples.encoded.map(
        lambda image, label: (examples.decode(image), label), num_parallel_calls=tf.data.AUTOTUNE
    )


def _cache(
    examples: Examples, size: _Size, config: TrainerConfig, scratch: Path
) -> tf.data.Dataset | None:
    """Pairs that are decoded in the first pass only; None where each pass has to decode them."""
    if config.cache_images == "disk":
        return _decode(examples).cache(str(scratch / uuid.uuid4().hex))
    if config.cache_images == "none":
        return None
    if size.total > config.image_memory:
        PROGRESS.info(
            "decodes %d images anew in each epoch: they take %d MB, trainer.image_memory_mb is %d",
            size.images,
            size.total >> 20,
            config.image_memory_mb,
        )
        return None
    return _decode(examples).cache()


def _shuffle(pairs: tf.data.Dataset, size: _Size, config: TrainerConfig) -> tf.data.Dataset:
    """Anew in each pass: all of them together where the memory allows it."""
    fitting = config.image_memory * size.images // max(size.total, 1)
    buffer = max(1, min(size.images, fitting))
    return pairs.shuffle(buffer, seed=config.seed, reshuffle_each_iteration=True)


def _batches(pairs: tf.data.Dataset, config: TrainerConfig, classes: int) -> tf.data.Dataset:
    """Batches with one-hot targets; the target of a label that is no class is all zeros."""
    return pairs.batch(config.batch_size).map(
        lambda images, labels: (images, tf.one_hot(labels, classes))
    )
