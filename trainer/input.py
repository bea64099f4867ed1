"""From transformed examples on disk to batches for training and evaluation."""

from collections.abc import Sequence

import tensorflow as tf

from darkroom.trainer.augmentation.augment import augment_batches
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.errors import InputError
from darkroom.transform.features import IMAGE_XF, LABEL_XF

_FEATURES = {
    IMAGE_XF: tf.io.FixedLenFeature([], tf.string),
    LABEL_XF: tf.io.FixedLenFeature([], tf.int64),
}
_SHUFFLE_BUFFER = 10_000
"""Images: more than the small sets hold, 1.5 GB of memory at 224 x 224."""


def read_examples(patterns: Sequence[str], image_shape: tuple[int, int, int]) -> tf.data.Dataset:
    """Single (image uint8 [H, W, 3], label int64 []) pairs, in file order.

    Examples that Transform numbers -1 (a label that the training split does not have, an image
    that cannot be decoded) are left out: no loss can be computed for them. Evaluator refuses them.

    Args:
        patterns: Globs of gzip TFRecord files with transformed tf.Examples.
        image_shape: Height, width and channels of every image.

    Raises:
        InputError: No file matches, or no example has a known label.
    """

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = tf.io.parse_single_example(record, _FEATURES)
        image = tf.io.parse_tensor(example[IMAGE_XF], tf.uint8)
        return tf.ensure_shape(image, image_shape), example[LABEL_XF]

    examples = _records(patterns).map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    labelled = examples.filter(lambda image, label: label >= 0)
    if not any(True for _ in labelled.take(1)):
        raise InputError(
            f"no example with a known label in {', '.join(patterns)}; give the split more images"
        )
    return labelled


def _records(patterns: Sequence[str]) -> tf.data.Dataset:
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        raise InputError(f"no file matches {', '.join(patterns)}; did Transform write examples?")
    options = tf.data.Options()
    # TensorFlow 2.21 tunes in a thread that sleeps for up to a minute, and whoever frees an
    # iterator, when garbage is collected or Python exits, waits for it to wake up.
    options.autotune.enabled = False
    return tf.data.TFRecordDataset(files, compression_type="GZIP").with_options(options)


def train_batches(
    examples: tf.data.Dataset, config: TrainerConfig, classes: int
) -> tf.data.Dataset:
    """Shuffled, augmented batches of one pass: uint8 [N, H, W, 3] and float32 [N, classes].

    Labels become targets before augmentation, which may mix them.
    """
    if config.cache_images:
        examples = examples.cache()
    examples = examples.shuffle(_SHUFFLE_BUFFER, seed=config.seed, reshuffle_each_iteration=True)
    batches = _batches(examples, config, classes)
    return augment_batches(batches, config.augmentation, config.seed).prefetch(tf.data.AUTOTUNE)


def eval_batches(examples: tf.data.Dataset, config: TrainerConfig, classes: int) -> tf.data.Dataset:
    """Batches in file order, as they are: uint8 [N, H, W, 3] and float32 [N, classes]."""
    batches = _batches(examples, config, classes)
    return (batches.cache() if config.cache_images else batches).prefetch(tf.data.AUTOTUNE)


def _batches(examples: tf.data.Dataset, config: TrainerConfig, classes: int) -> tf.data.Dataset:
    """Batches with one-hot targets; the target of a label that is no class is all zeros."""
    return examples.batch(config.batch_size).map(
        lambda images, labels: (images, tf.one_hot(labels, classes))
    )
