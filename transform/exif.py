"""EXIF orientation of JPEG files, read and applied inside a TensorFlow graph.

`tf.io.decode_image` ignores it, so a phone's portrait photographs would be seen lying down.
Formats: JPEG segments as in ITU-T T.81, annex B; the orientation as in Exif 2.32, sections 4.5
and 4.6.4 (tag 0x0112 of the zeroth IFD).
"""

import tensorflow as tf

from darkroom.transform.byte_fields import equals, read_byte, read_bytes, read_number

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
    header = read_bytes(image_bytes, _HEADER_BYTES)
    start = _find_exif(header)
    return tf.cond(start > 0, lambda: _from_tiff(header[start:]), lambda: tf.constant(1))


def _find_exif(header: tf.Tensor) -> tf.Tensor:
    """Offset of the TIFF structure in uint8 [bytes], or 0 where no EXIF segment is found."""

    def is_exif(position: tf.Tensor) -> tf.Tensor:
        found = tf.concat(
            [header[position : position + 2], header[position + 4 : position + 10]], 0
        )
        return equals(found, b"\xff\xe1Exif\0\0")

    def has_next(position: tf.Tensor) -> tf.Tensor:
        is_application_data = (read_byte(header, position) == 0xFF) & (
            read_byte(header, position + 1) >= 0xE0
        )
        return is_application_data & tf.logical_not(is_exif(position))

    def to_next(position: tf.Tensor) -> tf.Tensor:
        return position + 2 + read_number(header, position + 2, 2, True)

    (position,) = tf.while_loop(
        has_next,
        lambda position: (to_next(position),),
        (tf.constant(2),),
        maximum_iterations=_MAX_SEGMENTS,
    )
    return tf.where(is_exif(position), position + 10, 0)


def _from_tiff(tiff: tf.Tensor) -> tf.Tensor:
    """The orientation in a TIFF structure of uint8 [bytes]."""
    big_endian = equals(tiff[:2], b"MM")
    directory = read_number(tiff, 4, 4, big_endian)
    count = tf.minimum(read_number(tiff, directory, 2, big_endian), 512)
    entries = directory + 2 + _ENTRY_BYTES * tf.range(count)
    found = tf.boolean_mask(entries, read_number(tiff, entries, 2, big_endian) == _ORIENTATION_TAG)
    entry = tf.concat([found, [-_ENTRY_BYTES]], 0)[0]
    value = read_number(tiff, entry + 8, 2, big_endian)
    return tf.where((value >= 1) & (value <= 8), value, 1)
