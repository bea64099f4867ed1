"""EXIF orientation of JPEG files, read and applied inside a TensorFlow graph.

`tf.io.decode_image` ignores it, so a phone's portrait photographs would be seen lying down.
Formats: JPEG segments as in ITU-T T.81, annex B; the orientation as in Exif 2.32, sections 4.5
and 4.6.4 (tag 0x0112 of the zeroth IFD).
"""

import tensorflow as tf

_HEADER_BYTES = 1 << 17
"""Twice the largest JPEG segment: EXIF is the first segment, or the second behind JFIF's."""
_MAX_SEGMENTS = 16
_ORIENTATION_TAG = 0x0112
_ENTRY_BYTES = 12


def jpeg_orientation(image_bytes: tf.Tensor) -> tf.Tensor:
    """Reads the orientation out of an encoded image.

    Args:
        image_bytes: string [], an encoded image of any format.

    Returns:
        int32 [], 1 to 8 as EXIF numbers them; 1 (upright) where there is none or it is broken.
    """
    is_jpeg = tf.strings.substr(image_bytes, 0, 3) == b"\xff\xd8\xff"
    return tf.cond(is_jpeg, lambda: _from_segments(image_bytes), lambda: tf.constant(1))


def orient(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns a stored image upright.

    Args:
        image: uint8 [h, w, 3] as stored.
        orientation: int32 [], 1 to 8 as EXIF numbers them.

    Returns:
        uint8 [h, w, 3], or [w, h, 3] for the orientations 5 to 8.
    """
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    # After that transposition, 6 and 8 are mirrored as 2 and 4 are, and 7 is turned as 3 is.
    flip_rows = tf.reduce_any(orientation == tf.constant([3, 4, 7, 8]))
    flip_columns = tf.reduce_any(orientation == tf.constant([2, 3, 6, 7]))
    image = tf.cond(flip_rows, lambda: tf.reverse(image, (0,)), lambda: image)
    return tf.cond(flip_columns, lambda: tf.reverse(image, (1,)), lambda: image)


def _from_segments(image_bytes: tf.Tensor) -> tf.Tensor:
    header = tf.cast(
        tf.io.decode_raw(tf.strings.substr(image_bytes, 0, _HEADER_BYTES), tf.uint8), tf.int32
    )
    start = _find_exif(header)
    return tf.cond(start > 0, lambda: _from_tiff(header[start:]), lambda: tf.constant(1))


def _find_exif(header: tf.Tensor) -> tf.Tensor:
    """Offset of the TIFF structure in int32 [bytes], or 0 where no EXIF segment is found."""

    def is_exif(position: tf.Tensor) -> tf.Tensor:
        expected = tf.constant([0xFF, 0xE1, *b"Exif\0\0"])
        found = tf.concat(
            [header[position : position + 2], header[position + 4 : position + 10]], 0
        )
        return _equal(found, expected)

    def has_next(position: tf.Tensor) -> tf.Tensor:
        is_application_data = (_byte(header, position) == 0xFF) & (
            _byte(header, position + 1) >= 0xE0
        )
        return is_application_data & tf.logical_not(is_exif(position))

    def to_next(position: tf.Tensor) -> tf.Tensor:
        return position + 2 + _number(header, position + 2, 2, tf.constant(True))

    (position,) = tf.while_loop(
        has_next,
        lambda position: (to_next(position),),
        (tf.constant(2),),
        maximum_iterations=_MAX_SEGMENTS,
    )
    return tf.where(is_exif(position), position + 10, 0)


def _from_tiff(tiff: tf.Tensor) -> tf.Tensor:
    """The orientation in a TIFF structure of int32 [bytes]."""
    big_endian = _equal(tiff[:2], tf.constant([*b"MM"]))
    directory = _number(tiff, tf.constant(4), 4, big_endian)
    count = tf.minimum(_number(tiff, directory, 2, big_endian), 512)
    entries = directory + 2 + _ENTRY_BYTES * tf.range(count)
    found = tf.boolean_mask(entries, _number(tiff, entries, 2, big_endian) == _ORIENTATION_TAG)
    entry = tf.concat([found, [-_ENTRY_BYTES]], 0)[0]
    value = _number(tiff, entry + 8, 2, big_endian)
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _number(data: tf.Tensor, offset: tf.Tensor, length: int, big_endian: tf.Tensor) -> tf.Tensor:
    """Unsigned numbers in int32 [bytes] at int32 [...] offsets; bytes out of reach count as 0."""
    digits = [tf.cast(_byte(data, offset + index), tf.float64) for index in range(length)]
    powers = [256.0**index for index in range(length)]
    little = tf.add_n([digit * power for digit, power in zip(digits, powers, strict=True)])
    big = tf.add_n([digit * power for digit, power in zip(digits, powers[::-1], strict=True)])
    # 2**30 is out of reach of any header, and sums of offsets near it do not overflow int32.
    return tf.cast(tf.minimum(tf.where(big_endian, big, little), 2.0**30), tf.int32)


def _byte(data: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    inside = (offset >= 0) & (offset < tf.size(data))
    return tf.where(inside, tf.gather(data, tf.where(inside, offset, 0)), 0)


def _equal(data: tf.Tensor, expected: tf.Tensor) -> tf.Tensor:
    """Whether int32 [n] is `expected`, also where the file ended before it."""
    padded = tf.concat([data, tf.fill([tf.size(expected)], -1)], 0)[: tf.size(expected)]
    return tf.reduce_all(padded == expected)
