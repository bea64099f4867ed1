"""Turns about the centre."""

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from darkroom.trainer.augmentation.op import Movement, affine

if TYPE_CHECKING:
    import tensorflow as tf


class Rotation(Movement):
    """Turns images.

    Args:
        limit: Largest turn in degrees, either way; what is drawn are radians.
    """

    def __init__(self, limit: float) -> None:
        super().__init__(math.radians(limit))

    def find_sources(
        self, drawn: "tf.Tensor", height: "tf.Tensor", width: "tf.Tensor"
    ) -> "tf.Tensor":
        """Rotation matrices."""
        import tensorflow as tf

        cosine, sine = tf.cos(drawn), tf.sin(drawn)
        return affine(xx=cosine, xy=-sine, yx=sine, yy=cosine)


RotationLimit = Annotated[float, Field(ge=0, le=180), Rotation]
