"""Decoding PNG inside a TensorFlow graph: transparency on a colour, greys of 16 bits stretched.

Format: the PNG specification, sections 11.2.2 (IHDR) and 11.3.2.1 (tRNS).
"""

import tensorflow as tf

from darkroom.transform.config import Rendering

_DEPTH, _COLOUR_TYPE = 24, 25
_ALPHA_BIT = 4
_TRANSPARENCY = "tRNS"


def decode_png(image_bytes: tf.Tensor, rendering: Rendering) -> tf.Tensor:
    """Decodes a PNG.

    Args:
        image_bytes: string [], the encoded image.
        rendering: See there.

    Returns:
        uint8 [h, w, 3].

    Raises:
        tf.errors.InvalidArgumentError: The bytes are no PNG.
    """
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(image_bytes, 0, 26), tf.uint8), tf.int32)
    colour_type = header[_COLOUR_TYPE]
    has_alpha = (colour_type >= _ALPHA_BIT) | _holds(image_bytes, _TRANSPARENCY)
    is_wide_grey = (colour_type == 0) & (header[_DEPTH] == 16)
    branches = [
        lambda: tf.io.decode_png(image_bytes, channels=3),
        lambda: _compose(tf.io.decode_png(image_bytes, channels=4), rendering.background),
        lambda: _stretch(tf.io.decode_png(image_bytes, channels=1, dtype=tf.uint16)),
    ]
    stretched = is_wide_grey & rendering.stretch_16_bit
    return tf.switch_case(tf.where(stretched, 2, tf.cast(has_alpha, tf.int32)), branches)


def _holds(content: tf.Tensor, name: str) -> tf.Tensor:
    without = tf.strings.regex_replace(content, name, "", replace_global=False)
    return tf.strings.length(without) < tf.strings.length(content)


def _compose(image: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    """Lays uint8 [h, w, 4] on a colour, rounded as Pillow does; 16 bits hold all there is."""
    colour, alpha = tf.cast(image[..., :3], tf.uint16), tf.cast(image[..., 3:], tf.uint16)
    total = colour * alpha + tf.constant(background, tf.uint16) * (255 - alpha) + 128
    return tf.cast((total + total // 256) // 256, tf.uint8)


def _stretch(image: tf.Tensor) -> tf.Tensor:
    """Stretches uint16 [h, w, 1] to uint8 [h, w, 3]; an even image becomes black."""
    low = tf.cast(tf.reduce_min(image), tf.float32)
    high = tf.cast(tf.reduce_max(image), tf.float32)
    levels = tf.math.divide_no_nan(255 * (tf.cast(image, tf.float32) - low), high - low)
    return tf.repeat(tf.cast(tf.round(levels), tf.uint8), 3, axis=2)
