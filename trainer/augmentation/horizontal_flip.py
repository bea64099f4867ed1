"""Left and right exchanged."""

from typing import TYPE_CHECKING, Annotated

from darkroom.trainer.augmentation.op import Movement, affine

if TYPE_CHECKING:
    import tensorflow as tf


class HorizontalFlip(Movement):
    """Mirrors half of the images."""

    def find_sources(
        self, drawn: "tf.Tensor", height: "tf.Tensor", width: "tf.Tensor"
    ) -> "tf.Tensor":
        """Mirrors about the middle column where a number is below 0."""
        import tensorflow as tf

        return affine(xx=tf.where(drawn < 0.0, -1.0, 1.0))


HorizontalFlipLimit = Annotated[bool, HorizontalFlip]
