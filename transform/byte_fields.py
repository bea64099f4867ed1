"""Numbers in the headers of files, read inside a TensorFlow graph; no offset is out of bounds."""

import tensorflow as tf


def read_bytes(content: tf.Tensor, length: int) -> tf.Tensor:
    """The first `length` bytes of string [], or as many as there are: uint8 [bytes]."""
    return tf.io.decode_raw(tf.strings.substr(content, 0, length), tf.uint8)


def read_number(
    data: tf.Tensor, offset: tf.Tensor | int, length: int, big_endian: tf.Tensor | bool
) -> tf.Tensor:
    """Unsigned numbers in uint8 [bytes] at int32 [...] offsets; bytes out of reach count as 0.

    Returns:
        int32 [...], at most 2**30.
    """
    digits = [tf.cast(read_byte(data, offset + index), tf.float64) for index in range(length)]
    powers = [256.0**index for index in range(length)]
    little = tf.add_n([digit * power for digit, power in zip(digits, powers, strict=True)])
    big = tf.add_n([digit * power for digit, power in zip(digits, powers[::-1], strict=True)])
    # 2**30 is out of reach of any header, and sums of offsets near it do not overflow int32.
    return tf.cast(tf.minimum(tf.where(big_endian, big, little), 2.0**30), tf.int32)


def read_byte(data: tf.Tensor, offset: tf.Tensor | int) -> tf.Tensor:
    """The bytes of uint8 [bytes], at least one, at int32 [...] offsets; int32 [...]."""
    inside = (offset >= 0) & (offset < tf.size(data))
    found = tf.gather(data, tf.where(inside, offset, 0))
    return tf.where(inside, tf.cast(found, tf.int32), 0)


def equals(data: tf.Tensor, expected: bytes) -> tf.Tensor:
    """Whether uint8 [n] is `expected`, also where the file ended before it: bool []."""
    padded = tf.concat([tf.cast(data, tf.int32), tf.fill([len(expected)], -1)], 0)
    return tf.reduce_all(padded[: len(expected)] == tf.constant([*expected]))
