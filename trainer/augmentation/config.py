"""The recipe's section `trainer.augmentation`: the ops, in order."""

from pydantic import BaseModel, ConfigDict

from darkroom.trainer.augmentation.brightness import BrightnessLimit
from darkroom.trainer.augmentation.contrast import ContrastLimit
from darkroom.trainer.augmentation.cutmix import CutMixLimit
from darkroom.trainer.augmentation.horizontal_flip import HorizontalFlipLimit
from darkroom.trainer.augmentation.hue import HueLimit
from darkroom.trainer.augmentation.mixup import MixUpLimit
from darkroom.trainer.augmentation.op import Op
from darkroom.trainer.augmentation.random_erasing import RandomErasingLimit
from darkroom.trainer.augmentation.rotation import RotationLimit
from darkroom.trainer.augmentation.saturation import SaturationLimit
from darkroom.trainer.augmentation.shear import ShearLimit
from darkroom.trainer.augmentation.translation import TranslationLimit
from darkroom.trainer.augmentation.zoom import ZoomLimit


class AugmentationConfig(BaseModel):
    """How training images vary at random; evaluation and serving never do.

    All zero, the default, changes nothing. The fields are in the order in which the ops are
    applied; a new one goes to the end, which leaves the others' random numbers as they are.

    Args:
        horizontal_flip: Whether half of the images are mirrored.
        rotation: Largest turn in degrees, either way.
        zoom: Largest change of scale as a fraction: 0.1 gives 0.9 to 1.1.
        translation: Largest shift as a fraction of height and width, either way.
        brightness: Largest change of all grey levels as a fraction of 255, either way.
        contrast: Largest change of the distance from the image's mean, as a fraction.
        shear: Largest slant of an upright edge in degrees, either way.
        saturation: Largest change of the distance from grey, as a fraction.
        hue: Largest turn of colours as a fraction of the colour wheel, either way.
        random_erasing: Largest rectangle, as a fraction of the image, that is painted over in its
            mean colour; half of the images get one.
        mixup: Largest share of another image of the batch that shines through; the targets are
            mixed likewise.
        cutmix: Largest rectangle, as a fraction of the image, that shows another image of the
            batch; half of the images get one, and the targets are mixed by what is seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizontal_flip: HorizontalFlipLimit = False
    rotation: RotationLimit = 0.0
    zoom: ZoomLimit = 0.0
    translation: TranslationLimit = 0.0
    brightness: BrightnessLimit = 0.0
    contrast: ContrastLimit = 0.0
    shear: ShearLimit = 0.0
    saturation: SaturationLimit = 0.0
    hue: HueLimit = 0.0
    random_erasing: RandomErasingLimit = 0.0
    mixup: MixUpLimit = 0.0
    cutmix: CutMixLimit = 0.0

    @property
    def ops(self) -> list[Op]:
        """An op for each field, in order, those that change nothing too."""
        return [
            kind(getattr(self, name))
            for name, field in type(self).model_fields.items()
            for kind in field.metadata
            if isinstance(kind, type) and issubclass(kind, Op)
        ]

    @property
    def is_identity(self) -> bool:
        """Whether nothing is on."""
        return not any(op.limit for op in self.ops)
