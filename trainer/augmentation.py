"""Random variation of training images, inside the tf.data input pipeline.

What varies is drawn apart from applying it, and both are functions of a seed: the same seed gives
the same images. Whole batches are transformed at once, which two CPU cores keep up with.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from darkroom.trainer.config import AugmentationConfig

_MAX_LEVEL = 255.0


class Variation(NamedTuple):
    """How each of N images varies.

    Args:
        transforms: float32 [N, 8]: where an output pixel comes from, as
            `tf.raw_ops.ImageProjectiveTransformV3` takes it.
        brightness: float32 [N]: grey levels to add.
        contrast: float32 [N]: factor on the distance from the image's mean.
    """

    transforms: tf.Tensor
    brightness: tf.Tensor
    contrast: tf.Tensor


def augment_batches(
    batches: tf.data.Dataset, config: AugmentationConfig, seed: int
) -> tf.data.Dataset:
    """`batches` of (images, labels) with the images varied anew in every pass over the data.

    Args:
        batches: Elements of uint8 [N, H, W, 3] and labels.
        config: What may vary; when nothing may, `batches` itself is returned.
        seed: The same seed gives the same images, pass by pass.
    """
    if config.is_identity:
        return batches
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    return tf.data.Dataset.zip((seeds, batches)).map(
        lambda batch_seed, batch: (augment(batch[0], config, batch_seed), batch[1]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def augment(images: tf.Tensor, config: AugmentationConfig, seed: tf.Tensor) -> tf.Tensor:
    """uint8 images [N, H, W, C], varied; same shape and type.

    Args:
        images: The images.
        config: What may vary, and how much.
        seed: int64 [2].
    """
    shape = tf.shape(images)
    variation = draw_variation(config, seed, shape[0], shape[1], shape[2])
    return apply_variation(images, config, variation)


def draw_variation(
    config: AugmentationConfig,
    seed: tf.Tensor,
    count: tf.Tensor,
    height: tf.Tensor,
    width: tf.Tensor,
) -> Variation:
    """Random numbers for `count` images of `height` x `width` pixels, from the seed alone."""
    seeds = tf.random.split(seed, 7)

    def symmetric(index: int, limit: float) -> tf.Tensor:
        return tf.random.stateless_uniform([count], seeds[index], -limit, limit)

    mirrored = tf.random.stateless_uniform([count], seeds[0]) < 0.5
    flip = tf.where(mirrored, -1.0, 1.0) if config.horizontal_flip else tf.ones([count])
    height_pixels, width_pixels = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    return Variation(
        transforms=_affine(
            angle=symmetric(1, math.radians(config.rotation)),
            scale=1.0 / (1.0 + symmetric(2, config.zoom)),
            flip=flip,
            shift_y=symmetric(3, config.translation) * height_pixels,
            shift_x=symmetric(4, config.translation) * width_pixels,
            centre=((height_pixels - 1.0) / 2.0, (width_pixels - 1.0) / 2.0),
        ),
        brightness=symmetric(5, config.brightness) * _MAX_LEVEL,
        contrast=1.0 + symmetric(6, config.contrast),
    )


def _affine(
    angle: tf.Tensor,
    scale: tf.Tensor,
    flip: tf.Tensor,
    shift_y: tf.Tensor,
    shift_x: tf.Tensor,
    centre: tuple[tf.Tensor, tf.Tensor],
) -> tf.Tensor:
    """Output-to-input maps float32 [N, 8]: turn, scale and mirror about the centre, then shift."""
    centre_y, centre_x = centre
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    row_x = (cosine * flip, -sine * flip)
    row_y = (sine, cosine)
    out_x, out_y = centre_x + shift_x, centre_y + shift_y
    zero = tf.zeros_like(angle)
    return tf.stack(
        [
            row_x[0],
            row_x[1],
            centre_x - row_x[0] * out_x - row_x[1] * out_y,
            row_y[0],
            row_y[1],
            centre_y - row_y[0] * out_x - row_y[1] * out_y,
            zero,
            zero,
        ],
        axis=1,
    )


def apply_variation(
    images: tf.Tensor, config: AugmentationConfig, variation: Variation
) -> tf.Tensor:
    """uint8 images [N, H, W, C] with `variation` applied, rounded and clipped to 0..255.

    Pixels from beyond the border repeat the border, so that no black wedge becomes a feature.
    """
    levels = tf.cast(images, tf.float32)
    if config.moves_pixels:
        levels = tf.raw_ops.ImageProjectiveTransformV3(
            images=levels,
            transforms=variation.transforms,
            output_shape=tf.shape(images)[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )
    if config.changes_levels:
        mean = tf.reduce_mean(levels, axis=(1, 2, 3), keepdims=True)
        contrast = tf.reshape(variation.contrast, (-1, 1, 1, 1))
        brightness = tf.reshape(variation.brightness, (-1, 1, 1, 1))
        levels = (levels - mean) * contrast + mean + brightness
    varied = tf.cast(tf.clip_by_value(tf.round(levels), 0.0, _MAX_LEVEL), tf.uint8)
    return tf.ensure_shape(varied, images.shape)
