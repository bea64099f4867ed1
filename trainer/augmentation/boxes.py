"""Rectangles at random places, of random shapes."""

from typing import TYPE_CHECKING

from darkroom.trainer.augmentation.op import Change

if TYPE_CHECKING:
    import tensorflow as tf


class BoxOp(Change):
    """A change within a rectangle of half of the images.

    Args:
        limit: Largest rectangle as a fraction of the image.
    """

    def draw(self, seeds: "tf.Tensor", count: "tf.Tensor") -> "tf.Tensor":
        """An area, none where it is below 0, and what `find_boxes` wants: float32 [4, count]."""
        import tensorflow as tf

        numbers = tf.random.stateless_uniform([4, count], seeds[0], -1.0, 1.0)
        return numbers * tf.constant([[self.limit], [1.0], [1.0], [1.0]])


def find_boxes(
    areas: "tf.Tensor", shapes: "tf.Tensor", height: "tf.Tensor", width: "tf.Tensor"
) -> "tf.Tensor":
    """Masks of a rectangle in each image.

    Args:
        areas: float32 [N], fractions of the image.
        shapes: float32 [3, N] from -1 to 1: how wide beside how high, and where it lies, from one
            border to the other.
        height: int32 [], pixels.
        width: Likewise.

    Returns:
        bool [N, height, width]; a rectangle is cut off nowhere.
    """
    import tensorflow as tf

    # From half to double.
    stretch = 2.0 ** (shapes[0] / 2.0)
    sides = tf.sqrt(areas) * tf.stack([1.0 / stretch, stretch])
    sides = tf.minimum(sides, 1.0)
    lowest = (shapes[1:] + 1.0) / 2.0 * (1.0 - sides)

    def inside(axis: int, pixels: "tf.Tensor") -> "tf.Tensor":
        places = (tf.range(pixels, dtype=tf.float32) + 0.5) / tf.cast(pixels, tf.float32)
        first, side = lowest[axis, :, None], sides[axis, :, None]
        return (places >= first) & (places < first + side)

    return inside(0, height)[:, :, None] & inside(1, width)[:, None, :]
