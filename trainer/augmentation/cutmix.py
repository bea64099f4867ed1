"""A piece of another image, pasted in."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from darkroom.trainer.augmentation.boxes import BoxOp, find_boxes
from darkroom.trainer.augmentation.partners import find_partners, mix_targets

if TYPE_CHECKING:
    import tensorflow as tf


class CutMix(BoxOp):
    """Replaces a rectangle of half of the images with another image of the batch there.

    What both are called counts by the share that is seen of each. After Yun et al., "CutMix"
    (arXiv:1905.04899).
    """

    def apply(
        self, images: "tf.Tensor", targets: "tf.Tensor", drawn: "tf.Tensor"
    ) -> tuple["tf.Tensor", "tf.Tensor"]:
        """Pastes where the area is above 0."""
        import tensorflow as tf

        others, mixable = find_partners(targets)
        height, width = tf.unstack(tf.shape(images)[1:3])
        areas = tf.maximum(drawn[0], 0.0) * mixable
        boxes = find_boxes(areas, drawn[1:], height, width)
        mixed = tf.where(boxes[..., None], tf.gather(images, others), images)
        shares = tf.reduce_mean(tf.cast(boxes, tf.float32), axis=(1, 2))
        return mixed, mix_targets(targets, others, shares)


CutMixLimit = Annotated[float, Field(ge=0, le=1), CutMix]
