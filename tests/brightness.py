"""A task whose right answers are known: is a picture dark or bright?"""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from darkroom.serving.signatures import export, read_classes
from darkroom.tests.images import encode
from darkroom.tests.transform_graphs import build_transform_output
from darkroom.transform.config import TransformConfig

CONFIG = TransformConfig(image_height=32, image_width=32)
LABELS = ("dark", "bright", "dark", "bright", "dark", "dark")
LEVELS = (10, 240, 60, 180, 90, 30)
IMAGES = [encode(np.full((8, 8), level, np.uint8)) for level in LEVELS]


def transform_output(folder: Path) -> tft.TFTransformOutput:
    """The Transform output of the task."""
    return build_transform_output(folder, IMAGES, list(LABELS), CONFIG)[0]


def export_model(output: tft.TFTransformOutput, path: Path, boundary: float) -> Path:
    """A model that calls a picture bright where its mean level is above `boundary`."""
    direction = tf.constant([1.0 if name == "bright" else -1.0 for name in read_classes(output)])

    def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        embedding = tf.reduce_mean(tf.cast(images, tf.float32) / 255, axis=(1, 2))
        brightness = tf.reduce_sum(embedding, axis=1, keepdims=True) - 3 * boundary / 255
        return tf.nn.softmax(10 * brightness * direction), embedding

    export(network, output, CONFIG, path)
    return path
