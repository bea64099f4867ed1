"""Slants to the left and to the right."""

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from darkroom.trainer.augmentation.op import Movement, affine

if TYPE_CHECKING:
    import tensorflow as tf


class Shear(Movement):
    """Slants images: rows are shifted, the more the farther they are from the middle one.

    Args:
        limit: Largest angle of an upright edge in degrees, either way; what is drawn are radians.
    """

    def __init__(self, limit: float) -> None:
        super().__init__(math.radians(limit))

    def find_sources(
        self, drawn: "tf.Tensor", height: "tf.Tensor", width: "tf.Tensor"
    ) -> "tf.Tensor":
        """Shear matrices."""
        import tensorflow as tf

        return affine(xy=tf.tan(drawn))


ShearLimit = Annotated[float, Field(ge=0, le=45), Shear]
