"""Colours turned on the colour wheel."""

import math
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from darkroom.trainer.augmentation.op import Change, affine

if TYPE_CHECKING:
    import tensorflow as tf

_RGB_TO_YIQ: Final = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


class Hue(Change):
    """Turns colours; grey levels and greys stay as they are.

    Args:
        limit: Largest turn as a fraction of the whole wheel, either way; what is drawn are radians.
    """

    def __init__(self, limit: float) -> None:
        super().__init__(2.0 * math.pi * limit)

    def apply(
        self, images: "tf.Tensor", targets: "tf.Tensor", drawn: "tf.Tensor"
    ) -> tuple["tf.Tensor", "tf.Tensor"]:
        """Turns chroma, I and Q of the NTSC's YIQ, about the axis of the greys."""
        import tensorflow as tf

        to_yiq = tf.constant(_RGB_TO_YIQ)
        cosine, sine = tf.cos(drawn), tf.sin(drawn)
        # `affine` has its fixed row last, and Y is first.
        turn = tf.reverse(affine(xx=cosine, xy=sine, yx=-sine, yy=cosine), axis=[1, 2])
        matrices = tf.linalg.inv(to_yiq) @ turn @ to_yiq
        return tf.einsum("nhwc,ndc->nhwd", images, matrices), targets


HueLimit = Annotated[float, Field(ge=0, le=0.5), Hue]
