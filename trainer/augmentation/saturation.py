"""Colours made stronger or weaker."""

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from darkroom.trainer.augmentation.op import Change

if TYPE_CHECKING:
    import tensorflow as tf

LUMA: Final = (0.299, 0.587, 0.114)
"""What red, green and blue are worth in grey: ITU-R BT.601, as JPEG has it."""


class Saturation(Change):
    """Changes the distance of each pixel from its grey by up to a fraction of it."""

    def apply(
        self, images: "tf.Tensor", targets: "tf.Tensor", drawn: "tf.Tensor"
    ) -> tuple["tf.Tensor", "tf.Tensor"]:
        """Multiplies the distance with 1 plus the number drawn."""
        import tensorflow as tf

        grey = tf.reduce_sum(images * tf.constant(LUMA), axis=-1, keepdims=True)
        return (images - grey) * (1.0 + drawn)[:, None, None, None] + grey, targets


SaturationLimit = Annotated[float, Field(ge=0, le=1), Saturation]
