"""All grey levels raised or lowered."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from darkroom.trainer.augmentation.op import Change

if TYPE_CHECKING:
    import tensorflow as tf

_MAX_LEVEL = 255.0


class Brightness(Change):
    """Adds up to a fraction of 255 to all grey levels of an image, or takes it away."""

    def apply(
        self, images: "tf.Tensor", targets: "tf.Tensor", drawn: "tf.Tensor"
    ) -> tuple["tf.Tensor", "tf.Tensor"]:
        """Adds the numbers drawn times 255."""
        return images + (drawn * _MAX_LEVEL)[:, None, None, None], targets


BrightnessLimit = Annotated[float, Field(ge=0, le=1), Brightness]
