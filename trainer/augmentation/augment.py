"""Batches of images, varied inside the tf.data input pipeline.

What varies is drawn apart from applying it, and both are functions of a seed: the same seed gives
the same images. Whole batches are transformed at once, which two CPU cores keep up with.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from darkroom.trainer.augmentation.config import AugmentationConfig
from darkroom.trainer.augmentation.op import Change, Movement, Op, affine


class Drawn(NamedTuple):
    """An op, and what it drew for each image of a batch."""

    op: Op
    numbers: tf.Tensor


def augment_batches(
    batches: tf.data.Dataset, config: AugmentationConfig, seed: int
) -> tf.data.Dataset:
    """`batches` of (images, targets), varied anew in every pass over the data.

    Args:
        batches: Elements of uint8 [N, H, W, 3] and float32 [N, classes].
        config: What may vary; when nothing may, `batches` itself is returned.
        seed: The same seed gives the same images, pass by pass.
    """
    if config.is_identity:
        return batches
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    return tf.data.Dataset.zip((seeds, batches)).map(
        lambda batch_seed, batch: augment(batch[0], batch[1], config, batch_seed),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def augment(
    images: tf.Tensor, targets: tf.Tensor, config: AugmentationConfig, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Images uint8 [N, H, W, C] and targets float32 [N, classes], varied; `seed` is int64 [2]."""
    return apply(images, targets, draw(config, seed, tf.shape(images)[0]))


def draw(config: AugmentationConfig, seed: tf.Tensor, count: tf.Tensor) -> list[Drawn]:
    """The ops that are on, in order, with random numbers for `count` images.

    An op's numbers come from `seed`, int64 [2], and its place among all ops, whichever are on.
    """
    ops = config.ops
    numbers = [op.seeds for op in ops]
    seeds = tf.split(tf.random.split(seed, sum(numbers)), numbers)
    return [Drawn(op, op.draw(own, count)) for op, own in zip(ops, seeds, strict=True) if op.limit]


def apply(
    images: tf.Tensor, targets: tf.Tensor, drawn: Sequence[Drawn]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Images uint8 [N, H, W, C], varied, rounded and clipped to 0..255, and their targets.

    The movements come first, as one. Pixels from beyond the border repeat the border, so that no
    black wedge becomes a feature.
    """
    levels = _move(tf.cast(images, tf.float32), drawn)
    for op, numbers in drawn:
        if isinstance(op, Change):
            levels, targets = op.apply(levels, targets, numbers)
    varied = tf.cast(tf.clip_by_value(tf.round(levels), 0.0, 255.0), tf.uint8)
    return tf.ensure_shape(varied, images.shape), targets


def _move(levels: tf.Tensor, drawn: Sequence[Drawn]) -> tf.Tensor:
    height, width = tf.unstack(tf.cast(tf.shape(levels)[1:3], tf.float32))
    sources = [
        op.find_sources(numbers, height, width) for op, numbers in drawn if isinstance(op, Movement)
    ]
    if not sources:
        return levels
    y, x = (height - 1.0) / 2.0, (width - 1.0) / 2.0
    # The image that an op gets is the one that the ops before it made.
    matrices = functools.reduce(tf.matmul, [affine(x=x, y=y), *sources, affine(x=-x, y=-y)])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=levels,
        transforms=tf.reshape(matrices, (-1, 9))[:, :8],
        output_shape=tf.shape(levels)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
