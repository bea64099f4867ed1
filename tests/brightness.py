"""A task whose right answers are known: is a picture dark or bright?"""

from pathlib import Path

import keras
import numpy as np
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
    image = keras.Input((32, 32, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(image)
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(scaled)
    head = keras.layers.Dense(2, "softmax", name="head")
    model = keras.Model(image, head(embedding))
    direction = np.array([1.0 if name == "bright" else -1.0 for name in read_classes(output)])
    kernel = np.tile(direction * 10, (3, 1)).astype("float32")
    head.set_weights([kernel, (-30 * boundary / 255 * direction).astype("float32")])
    export(model, output, CONFIG, path)
    return path
