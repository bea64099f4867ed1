"""What may be decoded of an image, from its header alone, inside a TensorFlow graph.

A decoder takes memory for what a header promises: an image of 31 KB for 800 MB. Formats: JPEG by
libjpeg itself; PNG as in its specification, sections 5.2 and 11.2.2 (IHDR comes first); GIF as in
GIF89a, sections 18 to 22; BMP as in BITMAPINFOHEADER.
"""

from collections.abc import Callable

import tensorflow as tf

from darkroom.transform.byte_fields import read_byte, read_number
from darkroom.transform.limits import BMP_HEADER_BYTES, MAX_PIXELS, MAX_PNG_TEXTS, PNG_TEXT

_GIF_SCREEN_END = 13
_GIF_IMAGE = ord(",")
_GIF_EXTENSION = ord("!")
_GIF_TRAILER = b";"
_BLOCKS = 256
_MAGIC = (b"\xff\xd8", b"\x89P", b"GI", b"BM")
"""How each format begins, in the order of `bound_image`: those of TensorFlow's decoder."""


def bound_image(image_bytes: tf.Tensor) -> tf.Tensor:
    """The part of an encoded image that a decoder may be given.

    Args:
        image_bytes: string [], an encoded image of any format.

    Returns:
        string []: the image, of a GIF the first frame alone; empty, which no decoder takes, where
        `darkroom.transform.limits` or an unknown format forbid it.

    Raises:
        tf.errors.InvalidArgumentError: A JPEG whose header is broken.
    """
    bounds = (_bound_jpeg, _bound_png, _bound_gif, _bound_bmp, lambda _: tf.constant(b""))
    return tf.switch_case(_find_format(image_bytes), [_bind(each, image_bytes) for each in bounds])


def _find_format(image_bytes: tf.Tensor) -> tf.Tensor:
    """Index into `_MAGIC`, its length for none: int32 []."""
    matches = tf.strings.substr(image_bytes, 0, 2) == tf.constant(_MAGIC)
    return tf.argmax(tf.concat([matches, [True]], 0), output_type=tf.int32)


def _bind(
    bound: Callable[[tf.Tensor], tf.Tensor], image_bytes: tf.Tensor
) -> Callable[[], tf.Tensor]:
    return lambda: bound(image_bytes)


def _bound_jpeg(image_bytes: tf.Tensor) -> tf.Tensor:
    shape = tf.io.extract_jpeg_shape(image_bytes)
    return _keep_if(_fits(shape[0], shape[1]), image_bytes)


def _bound_png(image_bytes: tf.Tensor) -> tf.Tensor:
    # libpng passes over chunks that it does not know, and would find another header behind them.
    is_header = tf.strings.substr(image_bytes, 12, 4) == b"IHDR"
    size = tf.io.decode_raw(tf.strings.substr(image_bytes, 16, 8), tf.int32, little_endian=False)
    fits = is_header & _fits(size[1], size[0])
    return _keep_if(fits & _has_few_texts(image_bytes), image_bytes)


def _has_few_texts(image_bytes: tf.Tensor) -> tf.Tensor:
    without = tf.strings.regex_replace(image_bytes, PNG_TEXT.decode(), "")
    removed = tf.strings.length(image_bytes) - tf.strings.length(without)
    return removed <= MAX_PNG_TEXTS * len(PNG_TEXT)


def _bound_bmp(image_bytes: tf.Tensor) -> tf.Tensor:
    header = tf.io.decode_raw(tf.strings.substr(image_bytes, 14, 20), tf.int32)
    length, width, height, compression = header[0], header[1], header[2], header[4]
    # The decoder takes indices into a palette for grey levels, and compressed rows for plain ones.
    is_plain = (length >= BMP_HEADER_BYTES) & (header[3] // 2**16 >= 24) & (compression == 0)
    # A negative height says that the rows run downwards.
    return _keep_if(is_plain & _fits(tf.abs(height), width), image_bytes)


def _bound_gif(image_bytes: tf.Tensor) -> tf.Tensor:
    """The first frame alone, as TensorFlow's decoder would decode the others and drop them."""
    data = tf.io.decode_raw(image_bytes, tf.uint8)
    position = _GIF_SCREEN_END + _table_bytes(read_byte(data, 10))
    (position,) = tf.while_loop(
        lambda position: read_byte(data, position) == _GIF_EXTENSION,
        lambda position: (_behind_blocks(data, position + 2),),
        (position,),
    )
    screen = [read_number(data, offset, 2, False) for offset in (6, 8)]
    left, top, width, height = (
        read_number(data, position + offset, 2, False) for offset in (1, 3, 5, 7)
    )
    fits = _fits(tf.maximum(screen[1], top + height), tf.maximum(screen[0], left + width))
    is_image = read_byte(data, position) == _GIF_IMAGE
    end = _behind_blocks(data, position + 11 + _table_bytes(read_byte(data, position + 9)))
    return _keep_if(fits & is_image, tf.strings.substr(image_bytes, 0, end) + _GIF_TRAILER)


def _table_bytes(flags: tf.Tensor) -> tf.Tensor:
    """Length of the colour table that int32 [] flags announce, 0 for none."""
    return tf.where(flags >= 0x80, 3 * 2 ** (flags % 8 + 1), 0)


def _behind_blocks(data: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """Offset behind the blocks that start at one: each has its length in front, the last has 0."""

    def skip(position: tf.Tensor) -> tuple[tf.Tensor]:
        # Encoders fill all blocks but the last: those of one length are passed over together.
        step = 1 + read_byte(data, position)
        lengths = data[position : position + _BLOCKS * step : step]
        same = tf.concat([lengths == lengths[0], [False]], 0)
        return (position + step * tf.argmin(tf.cast(same, tf.int32), output_type=tf.int32),)

    (position,) = tf.while_loop(lambda position: read_byte(data, position) > 0, skip, (position,))
    return position + 1


def _fits(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    return (height > 0) & (width > 0) & (pixels <= MAX_PIXELS)


def _keep_if(allowed: tf.Tensor, image_bytes: tf.Tensor) -> tf.Tensor:
    return tf.where(allowed, image_bytes, b"")
