"""Shifts along both axes."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from darkroom.trainer.augmentation.op import Movement, affine

if TYPE_CHECKING:
    import tensorflow as tf


class Translation(Movement):
    """Shifts images by up to a fraction of their height and width, either way."""

    seeds: ClassVar[int] = 2

    def draw(self, seeds: "tf.Tensor", count: "tf.Tensor") -> "tf.Tensor":
        """float32 [2, count]: fractions of the height, and of the width."""
        import tensorflow as tf

        return tf.stack([super(Translation, self).draw(seeds[axis:], count) for axis in (0, 1)])

    def find_sources(
        self, drawn: "tf.Tensor", height: "tf.Tensor", width: "tf.Tensor"
    ) -> "tf.Tensor":
        """Goes back by the shift."""
        return affine(x=-drawn[1] * width, y=-drawn[0] * height)


TranslationLimit = Annotated[float, Field(ge=0, le=0.5), Translation]
