"""The Keras model: uint8 images in, an embedding and class probabilities out."""

import keras

from darkroom.trainer.backbones import BACKBONES
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.backbone_weights import load_backbone_weights
from darkroom.trainer.engines.keras.batch_norm import fuse_batch_norm, set_batch_norm_momentum
from darkroom.trainer.errors import TrainerError

EMBEDDING = "embedding"
"""Name of the layer whose output, float32 [N, D], describes an image for similarity search."""
BACKBONE = "backbone"
"""Name of the nested backbone model, whatever it is."""


def build_model(config: TrainerConfig, classes: int, height: int, width: int) -> keras.Model:
    """The untrained model with the configured backbone weights.

    Args:
        classes: Number of class names, at least 2.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        A model from uint8 [N, height, width, 3], values 0 to 255, to float32 probabilities
        [N, classes], or [N, 1] of class 1 with a sigmoid head.

    Raises:
        TrainerError: The number of classes does not fit the head.
        WeightsError: The backbone's weights cannot be had.
    """
    _check_classes(config, classes)
    backbone = build_backbone(config.backbone, height, width, config.alpha)
    load_backbone_weights(backbone, config)
    set_batch_norm_momentum(backbone, config.batch_norm_momentum)
    images = keras.Input((height, width, 3), dtype="uint8", name="image")
    pixels = keras.ops.cast(images, "float32")
    features = backbone(BACKBONES[config.backbone].preprocess(pixels))
    embedding = keras.layers.GlobalAveragePooling2D(name=EMBEDDING, dtype="float32")(features)
    dropped = keras.layers.Dropout(config.dropout, seed=config.seed, name="dropout")(embedding)
    return keras.Model(images, _head(config, classes)(dropped), name="classifier")


def _check_classes(config: TrainerConfig, classes: int) -> None:
    if classes < 2:
        raise TrainerError(
            f"the data has {classes} class; at least 2 are needed to learn a difference"
        )
    if config.head == "sigmoid" and classes != 2:
        raise TrainerError(
            f"head sigmoid is for 2 classes and the data has {classes}; set head to softmax"
        )


def _head(config: TrainerConfig, classes: int) -> keras.layers.Layer:
    units = 1 if config.head == "sigmoid" else classes
    return keras.layers.Dense(units, activation=config.head, dtype="float32", name="probabilities")


def build_backbone(name: str, height: int, width: int, alpha: float = 1.0) -> keras.Model:
    """The named backbone without classifier, with random weights.

    Returns:
        A model from preprocessed float32 [N, height, width, 3] to feature maps [N, h, w, D].
    """
    shape = (height, width, 3)
    return fuse_batch_norm(
        BACKBONES[name].construct(alpha, weights=None, input_shape=shape, name=BACKBONE)
    )
