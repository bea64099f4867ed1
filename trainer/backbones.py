"""The backbones that a recipe can name: models of keras.applications and our own, as plain data.

Nothing here imports Keras before a model is made: a recipe is checked before that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from darkroom.records.training import WeightsOrigin


@dataclass(frozen=True)
class Backbone:
    """Where to find one backbone, and its preprocessing.

    Args:
        constructor: Name of the constructor in `library`; it takes `include_top`, `weights`,
            `input_shape` and `name`.
        module: Name of the module there whose `preprocess_input` takes float RGB of 0 to 255.
        origin: Who published its ImageNet weights, and under which licence: as Keras' own
            documentation of `applications` has it, else the repository named.
        imagenet_alphas: Width multipliers that ImageNet weights exist for; empty when the
            constructor takes no `alpha`.
        library: The package of both.
    """

    constructor: str
    module: str
    origin: WeightsOrigin
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


def _published(repository: str, licence: str) -> WeightsOrigin:
    return WeightsOrigin(f"ImageNet-1k, https://github.com/{repository}", licence)


_CONVNEXT: Final = _published("facebookresearch/ConvNeXt", "MIT")
_DENSENET: Final = _published("liuzhuang13/DenseNet", "BSD-3-Clause")
_EFFICIENTNET: Final = _published("tensorflow/tpu", "Apache-2.0")
_EFFICIENTNET_V2: Final = _published("google/automl", "Apache-2.0")
_MOBILENET: Final = _published("tensorflow/models", "Apache-2.0")
_RESNET: Final = _published("KaimingHe/deep-residual-networks", "MIT")
_RESNET_V2: Final = _published("facebook/fb.resnet.torch", "BSD-3-Clause")
_V3_ALPHAS: Final = (0.75, 1.0)


def _ours(constructor: str, module: str, origin: WeightsOrigin) -> Backbone:
    return Backbone(constructor, module, origin, library="darkroom.trainer.applications")


BACKBONES: Final[Mapping[str, Backbone]] = MappingProxyType(
    {
        "convnext_tiny": Backbone("ConvNeXtTiny", "convnext", _CONVNEXT),
        "densenet121": Backbone("DenseNet121", "densenet", _DENSENET),
        "efficientnet_b0": Backbone("EfficientNetB0", "efficientnet", _EFFICIENTNET),
        "efficientnet_lite0": _ours("EfficientNetLite0", "efficientnet_lite", _EFFICIENTNET),
        "efficientnet_lite1": _ours("EfficientNetLite1", "efficientnet_lite", _EFFICIENTNET),
        "efficientnet_lite2": _ours("EfficientNetLite2", "efficientnet_lite", _EFFICIENTNET),
        "efficientnet_v2_b0": Backbone("EfficientNetV2B0", "efficientnet_v2", _EFFICIENTNET_V2),
        "efficientnet_v2_s": Backbone("EfficientNetV2S", "efficientnet_v2", _EFFICIENTNET_V2),
        "mobilenet": Backbone("MobileNet", "mobilenet", _MOBILENET, (0.25, 0.5, 0.75, 1.0)),
        "mobilenet_v2": Backbone(
            "MobileNetV2", "mobilenet_v2", _MOBILENET, (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
        ),
        "mobilenet_v3_large": Backbone("MobileNetV3Large", "mobilenet_v3", _MOBILENET, _V3_ALPHAS),
        "mobilenet_v3_small": Backbone("MobileNetV3Small", "mobilenet_v3", _MOBILENET, _V3_ALPHAS),
        "resnet50": Backbone("ResNet50", "resnet50", _RESNET),
        "resnet50_v2": Backbone("ResNet50V2", "resnet_v2", _RESNET_V2),
        "resnet101": Backbone("ResNet101", "resnet", _RESNET),
    }
)
"""Name in the recipe to backbone; each works from 32 pixels on."""

LETTERS_BACKBONE: Final = "mobilenet_v2"
"""Backbone of the shipped letter-pretrained weights."""
LETTERS_ALPHA: Final = 0.35
"""Its width multiplier."""
LETTERS_FILE: Final = Path(__file__).parent / "weights" / "letters_mobilenet_v2_035_64.weights.h5"
"""Weights learned from rendered letters by `python -m darkroom.tools.pretraining`."""
LETTERS_ORIGIN: Final = WeightsOrigin("letters rendered from fonts, by Darkroom", "Apache-2.0")
"""Of those."""
