"""Larger and smaller about the centre."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from darkroom.trainer.augmentation.op import Movement, affine

if TYPE_CHECKING:
    import tensorflow as tf


class Zoom(Movement):
    """Changes the scale of images; 0.1 gives 0.9 to 1.1."""

    def find_sources(
        self, drawn: "tf.Tensor", height: "tf.Tensor", width: "tf.Tensor"
    ) -> "tf.Tensor":
        """Divides by the scale."""
        scale = 1.0 / (1.0 + drawn)
        return affine(xx=scale, yy=scale)


ZoomLimit = Annotated[float, Field(ge=0, le=0.9), Zoom]
