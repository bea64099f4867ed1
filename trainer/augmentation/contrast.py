"""Grey levels spread or drawn together."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from darkroom.trainer.augmentation.op import Change

if TYPE_CHECKING:
    import tensorflow as tf


class Contrast(Change):
    """Changes the distance of grey levels from the image's mean by up to a fraction of it."""

    def apply(
        self, images: "tf.Tensor", targets: "tf.Tensor", drawn: "tf.Tensor"
    ) -> tuple["tf.Tensor", "tf.Tensor"]:
        """Multiplies the distance with 1 plus the number drawn."""
        import tensorflow as tf

        mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
        return (images - mean) * (1.0 + drawn)[:, None, None, None] + mean, targets


ContrastLimit = Annotated[float, Field(ge=0, le=1), Contrast]
