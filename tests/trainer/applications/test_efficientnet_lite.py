from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from PIL import Image

from darkroom.trainer.applications import (
    EfficientNetLite0,
    EfficientNetLite1,
    EfficientNetLite2,
    efficientnet_lite,
)
from darkroom.trainer.engines.keras.batch_norm import batch_norm_layers
from darkroom.trainer.engines.keras.model import build_backbone

PALACE = 698
"""ImageNet's class of `china.jpg`, which scikit-learn ships: the Summer Palace in Beijing."""


def photograph(size: int) -> np.ndarray:
    """uint8 [1, size, size, 3]: its upper left corner, at its own scale."""
    path = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
    return np.asarray(Image.open(path).convert("RGB"))[np.newaxis, :size, :size]


# The probabilities are those of the package's own model, efficientnet-lite-pytorch 0.1.0 with torch
# 1.12.1, on the same pixels.
@pytest.mark.parametrize(
    ("constructor", "size", "probability"),
    [
        (EfficientNetLite0, 224, 0.216759),
        (EfficientNetLite1, 240, 0.149182),
        (EfficientNetLite2, 260, 0.273389),
    ],
)
def test_imagenet_weights_answer_as_in_torch(constructor, size, probability):
    model = constructor()
    assert model.input_shape == (None, size, size, 3)
    pixels = photograph(size).astype(np.float32)
    probabilities = np.asarray(model(efficientnet_lite.preprocess_input(pixels)))
    assert probabilities.shape == (1, 1000)
    assert probabilities[0].argmax() == PALACE
    assert probabilities[0, PALACE] == pytest.approx(probability, abs=1e-4)


@pytest.mark.parametrize(
    ("constructor", "millions"),
    [(EfficientNetLite0, 4.652), (EfficientNetLite1, 5.417), (EfficientNetLite2, 6.092)],
)
def test_each_has_as_many_parameters_as_published(constructor, millions):
    model = constructor(weights=None)
    trained = sum(np.prod(variable.shape) for variable in model.trainable_weights)
    assert trained / 1e6 == pytest.approx(millions, abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 47), (64, 128)])
def test_any_size_from_32_pixels_on_gives_features(height, width):
    backbone = build_backbone("efficientnet_lite0", height, width)
    features = np.asarray(backbone(np.zeros((2, height, width, 3), np.float32)))
    assert features.shape == (2, -(-height // 32), -(-width // 32), 1280)
    assert {layer.epsilon for layer in batch_norm_layers(backbone)} == {1e-3}
