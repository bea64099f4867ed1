"""The recipe's section `trainer.augmentation`: the ops, in order."""

from pydantic import BaseModel, ConfigDict

from darkroom.trainer.augmentation.brightness import BrightnessLimit
from darkroom.trainer.augmentation.contrast import ContrastLimit
from darkroom.trainer.augmentation.horizontal_flip import HorizontalFlipLimit
from darkroom.trainer.augmentation.op import Op
from darkroom.trainer.augmentation.rotation import RotationLimit
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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizontal_flip: HorizontalFlipLimit = False
    rotation: RotationLimit = 0.0
    zoom: ZoomLimit = 0.0
    translation: TranslationLimit = 0.0
    brightness: BrightnessLimit = 0.0
    contrast: ContrastLimit = 0.0

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
