"""A rectangle painted over."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from darkroom.trainer.augmentation.boxes import BoxOp, find_boxes

if TYPE_CHECKING:
    import tensorflow as tf


class RandomErasing(BoxOp):
    """Paints over a rectangle of half of the images, in the image's mean colour.

    After Zhong et al., "Random Erasing Data Augmentation" (arXiv:1708.04896).
    """

    def apply(
        self, images: "tf.Tensor", targets: "tf.Tensor", drawn: "tf.Tensor"
    ) -> tuple["tf.Tensor", "tf.Tensor"]:
        """Paints where the area is above 0."""
        import tensorflow as tf

        height, width = tf.unstack(tf.shape(images)[1:3])
        boxes = find_boxes(tf.maximum(drawn[0], 0.0), drawn[1:], height, width)
        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        return tf.where(boxes[..., None], mean, images), targets


RandomErasingLimit = Annotated[float, Field(ge=0, le=1), RandomErasing]
