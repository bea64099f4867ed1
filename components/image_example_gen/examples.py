"""The tf.Example of a loaded row."""

from collections.abc import Sequence

import tensorflow as tf

from darkroom.components.image_example_gen.load import LoadedRow
from darkroom.transform.features import (
    FLOAT_DESCRIPTORS,
    IMAGE,
    IMAGE_PATH,
    INTEGER_DESCRIPTORS,
    LABEL,
)


def serialize_example(loaded: LoadedRow, metadata_columns: Sequence[str]) -> bytes:
    """A serialized tf.Example with one value in every feature.

    Args:
        loaded: The row.
        metadata_columns: Names of `loaded.row.metadata`; an empty cell becomes an empty string.

    Returns:
        Features image_bytes, label, image_path and the metadata (bytes), height, width,
        channels, bytes (int64), mean, stddev, sharpness (float32).
    """
    texts = {LABEL: loaded.row.label, IMAGE_PATH: loaded.row.image_path}
    texts.update(zip(metadata_columns, loaded.row.metadata, strict=True))
    example = tf.train.Example()
    feature = example.features.feature
    feature[IMAGE].bytes_list.value.append(loaded.content)
    for name, text in texts.items():
        feature[name].bytes_list.value.append(text.encode())
    for name in INTEGER_DESCRIPTORS:
        feature[name].int64_list.value.append(int(loaded.descriptors[name]))
    for name in FLOAT_DESCRIPTORS:
        feature[name].float_list.value.append(loaded.descriptors[name])
    return bytes(example.SerializeToString(deterministic=True))
