"""The Transform component's `preprocessing_fn`."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from darkroom.transform import features
from darkroom.transform.config import TransformConfig
from darkroom.transform.images import decode_images


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Numbers labels, and decodes images where they are to be materialized.

    Args:
        inputs: Raw features, a tensor [N] or [N, 1] each; `image_bytes` and `label` are used.
        custom_config: `{"transform": fields of TransformConfig, ...}`. Other keys only vary the
            component's cache key.

    Returns:
        `label_xf`: int64 [N], index into the vocabulary `labels`, -1 for a label that the training
        split does not have. Materialized also `image_xf`: string [N], serialized uint8
        [height, width, 3]; the label of an image that cannot be decoded is -1 then.
    """
    config = TransformConfig.model_validate(custom_config["transform"])
    labels = tft.compute_and_apply_vocabulary(
        tf.reshape(inputs[features.LABEL], [-1]), vocab_filename=features.LABEL_VOCABULARY
    )
    if not config.materialize:
        return {features.LABEL_XF: labels}
    images, valid = decode_images(
        tf.reshape(inputs[features.IMAGE], [-1]),
        config.image_height,
        config.image_width,
        config.resize,
        config.rendering,
    )
    serialized = tf.map_fn(tf.io.serialize_tensor, images, fn_output_signature=tf.string)
    labels = tf.where(valid, labels, tf.constant(-1, tf.int64))
    return {features.IMAGE_XF: serialized, features.LABEL_XF: labels}
