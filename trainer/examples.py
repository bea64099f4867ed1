"""A split on disk: encoded images, their labels, and the function that decodes them."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from darkroom.trainer.errors import InputError
from darkroom.transform.config import TransformConfig
from darkroom.transform.features import IMAGE, IMAGE_PATH, IMAGE_XF, LABEL, LABEL_XF
from darkroom.transform.images import decode_image, decode_images

_STRING = tf.io.FixedLenFeature([], tf.string)
_RAW = {IMAGE: _STRING, LABEL: _STRING}
_MATERIALIZED = {IMAGE_XF: _STRING, LABEL_XF: tf.io.FixedLenFeature([], tf.int64)}
_OPEN_FILES = 16
"""Shards that training reads at a time."""


class Examples(NamedTuple):
    """A split.

    Attributes:
        encoded: Pairs of an image, string [], and its label, int64 [].
        decode: From such an image to uint8 [H, W, 3].
    """

    encoded: tf.data.Dataset
    decode: Callable[[tf.Tensor], tf.Tensor]


def read_examples(
    patterns: Sequence[str],
    classes: Sequence[str],
    transform: TransformConfig,
    seed: int | None = None,
) -> Examples:
    """The examples of a split, those of ImageExampleGen or, materialized, those of Transform.

    Examples of no class are left out: no loss can be computed for them. Evaluator refuses them.

    Args:
        patterns: Globs of TFRecord files.
        classes: Names of the classes; a label is an index into them.
        transform: How images are decoded, and whether Transform did it.
        seed: Reads the files in another order each time; None: one after the other.

    Raises:
        InputError: No file matches, or no example has a known label.
    """
    if transform.materialize:
        records = _records(_find_files(patterns), seed, "GZIP")
        encoded = records.map(_parse_materialized, num_parallel_calls=tf.data.AUTOTUNE)
    else:
        parse = functools.partial(_parse_raw, classes=tf.constant(classes))
        records = _records(_find_files(patterns), seed)
        encoded = records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    labelled = encoded.filter(lambda image, label: label >= 0)
    if not any(True for _ in labelled.take(1)):
        raise InputError(
            f"no example with a known label in {', '.join(patterns)}; give the split more images"
        )
    return Examples(labelled, functools.partial(decode, transform=transform))


def decode(encoded: tf.Tensor, transform: TransformConfig) -> tf.Tensor:
    """The image string [] of an example, as the served model decodes it: uint8 [H, W, 3]."""
    height, width = transform.image_height, transform.image_width
    if not transform.materialize:
        return decode_image(encoded, height, width, transform.resize, transform.rendering)
    return tf.ensure_shape(tf.io.parse_tensor(encoded, tf.uint8), (height, width, 3))


def find_undecodable(patterns: Sequence[str]) -> str:
    """Path of the first raw example whose image TensorFlow cannot decode; empty for none."""
    for record in _records(_find_files(patterns), None):
        example = tf.io.parse_single_example(record, {**_RAW, IMAGE_PATH: _STRING})
        _, valid = decode_images(example[IMAGE][tf.newaxis], 32, 32, "stretch")
        if not valid[0]:
            return str(example[IMAGE_PATH].numpy().decode())
    return ""


def _find_files(patterns: Sequence[str]) -> list[str]:
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        raise InputError(f"no file matches {', '.join(patterns)}; did ingest write examples?")
    return files


def _records(files: list[str], seed: int | None, compression: str = "") -> tf.data.Dataset:
    options = tf.data.Options()
    # TensorFlow 2.21 tunes in a thread that sleeps for up to a minute, and whoever frees an
    # iterator, when garbage is collected or Python exits, waits for it to wake up.
    options.autotune.enabled = False
    if seed is None:
        return tf.data.TFRecordDataset(files, compression).with_options(options)
    shuffled = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), seed)
    return shuffled.interleave(
        lambda file: tf.data.TFRecordDataset(file, compression),
        cycle_length=min(len(files), _OPEN_FILES),
    ).with_options(options)


def _parse_raw(record: tf.Tensor, classes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    example = tf.io.parse_single_example(record, _RAW)
    found = tf.concat([tf.where(classes == example[LABEL])[:, 0], [-1]], 0)
    return example[IMAGE], found[0]


def _parse_materialized(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    example = tf.io.parse_single_example(record, _MATERIALIZED)
    return example[IMAGE_XF], example[LABEL_XF]
