"""Decoding, orienting and resizing images inside a TensorFlow graph.

The decoding goes through `tf.data` because that is the one place in TensorFlow where an error
can be caught per element: `tf.io.decode_image` raises for the whole batch as soon as one image
is broken.
"""

import functools

import tensorflow as tf

from darkroom.transform.bounds import bound_image
from darkroom.transform.config import PLAIN, Rendering, ResizeMode
from darkroom.transform.exif import jpeg_orientation, orient
from darkroom.transform.png import decode_png

_RATIOS = (2, 4, 8)
_SPARE = 3
"""How much larger than wanted a reduced image is at least: the resizing then averages at least nine
of its pixels, and the grey levels of photographs differ by less than one, on average."""


def resize_image(image: tf.Tensor, height: int, width: int, resize: ResizeMode) -> tf.Tensor:
    """Resizes one image with antialiased bilinear interpolation.

    Args:
        image: uint8 [h, w, 3], values 0 to 255.
        height: Height wanted, in pixels.
        width: Width wanted, in pixels.
        resize: See `TransformConfig`.

    Returns:
        uint8 [height, width, 3], rounded to nearest.
    """
    if resize == "crop":
        image = _crop_to_aspect(image, height, width)
    size = _fitting_size(image, height, width) if resize == "pad" else (height, width)
    resized = tf.image.resize(image, size, antialias=True)
    resized = tf.saturate_cast(tf.round(resized), tf.uint8)
    return tf.image.resize_with_crop_or_pad(resized, height, width)


def decode_image(
    image_bytes: tf.Tensor,
    height: int,
    width: int,
    resize: ResizeMode,
    rendering: Rendering = PLAIN,
) -> tf.Tensor:
    """Decodes one JPEG, PNG, GIF (first frame) or BMP, upright, at the size wanted.

    Its header is read first: what `darkroom.transform.limits` forbids costs no memory.

    Args:
        image_bytes: string [], the encoded image.
        height: Height wanted, in pixels.
        width: Width wanted, in pixels.
        resize: See `TransformConfig`.
        rendering: Of PNG.

    Returns:
        uint8 [height, width, 3], values 0 to 255.

    Raises:
        tf.errors.InvalidArgumentError: The bytes are no such image, or too large a one.
    """
    image_bytes = bound_image(image_bytes)
    image = _decode(image_bytes, _SPARE * max(height, width), rendering)
    image = orient(image, jpeg_orientation(image_bytes))
    image = resize_image(image, height, width, resize)
    return tf.ensure_shape(image, (height, width, 3))


def _decode(image_bytes: tf.Tensor, least_side: int, rendering: Rendering) -> tf.Tensor:
    """Decodes an image, of a large JPEG every second, fourth or eighth pixel, averaged by libjpeg.

    Args:
        image_bytes: string [], what `bound_image` returned.
        least_side: Pixels that the shorter side keeps at least.
        rendering: Of PNG.

    Returns:
        uint8 [h, w, 3] as stored.
    """

    def decode_all() -> tf.Tensor:
        return tf.cond(
            tf.strings.substr(image_bytes, 0, 2) == b"\x89P",
            lambda: decode_png(image_bytes, rendering),
            lambda: tf.io.decode_image(image_bytes, channels=3, expand_animations=False),
        )

    def decode_part(ratio: int) -> tf.Tensor:
        return tf.io.decode_jpeg(image_bytes, channels=3, ratio=ratio)

    is_jpeg = tf.strings.substr(image_bytes, 0, 2) == b"\xff\xd8"
    shape = tf.cond(
        is_jpeg, lambda: tf.io.extract_jpeg_shape(image_bytes), lambda: tf.zeros(3, tf.int32)
    )
    fitting = tf.reduce_min(shape[:2]) >= least_side * tf.constant(_RATIOS)
    branches = [decode_all, *(functools.partial(decode_part, ratio) for ratio in _RATIOS)]
    image = tf.switch_case(tf.reduce_sum(tf.cast(fitting, tf.int32)), branches)
    return tf.ensure_shape(image, (None, None, 3))


def decode_images(
    image_bytes: tf.Tensor,
    height: int,
    width: int,
    resize: ResizeMode,
    rendering: Rendering = PLAIN,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch; a broken image spoils nothing but its own row.

    Args:
        image_bytes: string [N], encoded images.
        height: Height wanted, in pixels.
        width: Width wanted, in pixels.
        resize: See `TransformConfig`.
        rendering: Of PNG.

    Returns:
        uint8 [N, height, width, 3] with zeros for what cannot be decoded, and bool [N] that is
        true where decoding worked.
    """
    count = tf.shape(image_bytes, out_type=tf.int64)[0]
    decoded = tf.data.Dataset.from_tensor_slices(image_bytes).enumerate()
    decoded = decoded.map(
        lambda index, encoded: (index, decode_image(encoded, height, width, resize, rendering)),
        num_parallel_calls=tf.data.AUTOTUNE,
    ).ignore_errors()
    # One row more than there are images, so that a batch of broken images still has an element.
    sentinel = tf.data.Dataset.from_tensors((count, tf.zeros((height, width, 3), tf.uint8)))
    indices, images = decoded.concatenate(sentinel).batch(count + 1).get_single_element()
    shape = tf.stack([count + 1, height, width, 3])
    rows = tf.scatter_nd(indices[:, tf.newaxis], images, shape)[:-1]
    found = tf.scatter_nd(indices[:, tf.newaxis], tf.ones_like(indices, tf.int32), [count + 1])
    return tf.ensure_shape(rows, (None, height, width, 3)), tf.cast(found[:-1], tf.bool)


def _crop_to_aspect(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The largest centred part of uint8 [h, w, 3] that has the aspect ratio height : width."""
    size = tf.shape(image)[:2]
    scale = tf.reduce_min(tf.cast(size, tf.float32) / tf.constant([height, width], tf.float32))
    wanted = tf.cast(tf.round(scale * tf.constant([height, width], tf.float32)), tf.int32)
    wanted = tf.clip_by_value(wanted, 1, size)
    start = (size - wanted) // 2
    return tf.slice(image, [start[0], start[1], 0], [wanted[0], wanted[1], 3])


def _fitting_size(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The largest int32 [2] size within `height` and `width` that keeps the image's aspect ratio.

    `tf.image.resize_with_pad` rounds a very long image's short side to zero, and then raises.
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    scale = tf.reduce_min(tf.constant([height, width], tf.float32) / size)
    return tf.clip_by_value(tf.cast(tf.round(scale * size), tf.int32), 1, [height, width])
