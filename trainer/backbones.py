"""The backbones that a recipe can name: models of keras.applications and our own, as plain data.

Nothing here imports Keras before a model is made: a recipe is checked before that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final


@dataclass(frozen=True)
class Backbone:
    """Where to find one backbone, and its preprocessing.

    Args:
        constructor: Name of the constructor in `library`; it takes `include_top`, `weights`,
            `input_shape` and `name`.
        module: Name of the module there whose `preprocess_input` takes float RGB of 0 to 255.
        imagenet_alphas: Width multipliers that ImageNet weights exist for; empty when the
            constructor takes no `alpha`.
        library: The package of both.
    """

    constructor: str
    module: str
    imagenet_alphas: tuple[float, ...] = ()
    library: str = "keras.applications"

    def construct(self, alpha: float, **options: Any) -> Any:
        """The Keras model without classifier; the constructor says what `options` there are."""
        if self.imagenet_alphas:
            options["alpha"] = alpha
        return getattr(import_module(self.library), self.constructor)(include_top=False, **options)

    def preprocess(self, images: Any) -> Any:
        """Float RGB images [N, H, W, 3] of 0 to 255 as the backbone wants them."""
        return getattr(import_module(self.library), self.module).preprocess_input(images)


def _ours(constructor: str, module: str) -> Backbone:
    return Backbone(constructor, module, library="darkroom.trainer.applications")


BACKBONES: Final[Mapping[str, Backbone]] = MappingProxyType(
    {
        "convnext_tiny": Backbone("ConvNeXtTiny", "convnext"),
        "densenet121": Backbone("DenseNet121", "densenet"),
        "efficientnet_b0": Backbone("EfficientNetB0", "efficientnet"),
        "efficientnet_lite0": _ours("EfficientNetLite0", "efficientnet_lite"),
        "efficientnet_lite1": _ours("EfficientNetLite1", "efficientnet_lite"),
        "efficientnet_lite2": _ours("EfficientNetLite2", "efficientnet_lite"),
        "efficientnet_v2_b0": Backbone("EfficientNetV2B0", "efficientnet_v2"),
        "efficientnet_v2_s": Backbone("EfficientNetV2S", "efficientnet_v2"),
        "mobilenet": Backbone("MobileNet", "mobilenet", (0.25, 0.5, 0.75, 1.0)),
        "mobilenet_v2": Backbone("MobileNetV2", "mobilenet_v2", (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)),
        "mobilenet_v3_large": Backbone("MobileNetV3Large", "mobilenet_v3", (0.75, 1.0)),
        "mobilenet_v3_small": Backbone("MobileNetV3Small", "mobilenet_v3", (0.75, 1.0)),
        "resnet50": Backbone("ResNet50", "resnet50"),
        "resnet50_v2": Backbone("ResNet50V2", "resnet_v2"),
        "resnet101": Backbone("ResNet101", "resnet"),
    }
)
"""Name in the recipe to backbone; each works from 32 pixels on."""

LETTERS_BACKBONE: Final = "mobilenet_v2"
"""Backbone of the shipped letter-pretrained weights."""
LETTERS_ALPHA: Final = 0.35
"""Its width multiplier."""
LETTERS_FILE: Final = Path(__file__).parent / "weights" / "letters_mobilenet_v2_035_64.weights.h5"
"""Weights learned from rendered letters by `python -m darkroom.tools.pretraining`."""
