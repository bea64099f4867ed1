"""Learning from a few real photographs."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from darkroom.tests.photographs import find_clothing
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.model import build_model
from darkroom.trainer.engines.keras.training import train

SIZE = 96
CLASSES = ("dress", "pants", "shoes")


def photographs(split: Path, count: int) -> tf.data.Dataset:
    """uint8 [SIZE, SIZE, 3] and one-hot targets: `count` of each class at the most, mixed."""
    images, labels = [], []
    for label, name in enumerate(CLASSES):
        for path in sorted((split / name).iterdir())[:count]:
            image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
            images.append(np.asarray(ImageOps.fit(image, (SIZE, SIZE))))
            labels.append(label)
    order = np.random.default_rng(0).permutation(len(labels))
    targets = np.eye(len(CLASSES), dtype=np.float32)[labels]
    return tf.data.Dataset.from_tensor_slices((np.stack(images)[order], targets[order]))


@pytest.mark.e2e
def test_forty_photographs_a_class_are_enough_for_a_head():
    clothing = find_clothing()
    config = TrainerConfig(
        backbone="efficientnet_lite0",
        weights="imagenet",
        head_epochs=3,
        head_learning_rate=3e-3,
        fine_tune_epochs=0,
    )
    keras.utils.set_random_seed(config.seed)
    model = build_model(config, len(CLASSES), SIZE, SIZE)
    history = train(
        model,
        photographs(clothing / "train", 40).batch(8),
        photographs(clothing / "test", 40).batch(8),
        config,
    )
    assert history.best.val_accuracy > 0.85
