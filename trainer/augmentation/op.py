"""What an op is: a random variation that is drawn apart from applying it."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Union

if TYPE_CHECKING:
    import tensorflow as tf


class Op:
    """One way in which images vary; a `Movement` or a `Change`.

    Args:
        limit: How much, as the recipe has it; 0 or false is nothing.
    """

    seeds: ClassVar[int] = 1
    """How many seeds `draw` takes."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def draw(self, seeds: "tf.Tensor", count: "tf.Tensor") -> "tf.Tensor":
        """Random numbers for `count` images, from the seeds int64 [self.seeds, 2] alone.

        Returns:
            float32 [count] between -limit and limit; an op of several seeds gives another shape.
        """
        import tensorflow as tf

        return tf.random.stateless_uniform([count], seeds[0], -self.limit, self.limit)


class Movement(Op, ABC):
    """An op that moves pixels; all movements are made as one, which interpolates once."""

    @abstractmethod
    def find_sources(
        self, drawn: "tf.Tensor", height: "tf.Tensor", width: "tf.Tensor"
    ) -> "tf.Tensor":
        """Where output pixels come from.

        Args:
            drawn: What `draw` returned for N images.
            height: float32 [], pixels.
            width: Likewise.

        Returns:
            float32 [N, 3, 3], to be multiplied with (x, y, 1) in pixels from the image's centre.
        """


class Change(Op, ABC):
    """An op that computes new grey levels, new targets, or both."""

    @abstractmethod
    def apply(
        self, images: "tf.Tensor", targets: "tf.Tensor", drawn: "tf.Tensor"
    ) -> tuple["tf.Tensor", "tf.Tensor"]:
        """The changed images and targets.

        Args:
            images: float32 [N, H, W, C], grey levels of about 0 to 255, not yet clipped.
            targets: float32 [N, classes], what the images are to be called.
            drawn: What `draw` returned for N images.
        """


Entry = Union["tf.Tensor", float]
"""Numbers float32 [N], or one for all images."""


def affine(
    xx: Entry = 1.0,
    xy: Entry = 0.0,
    x: Entry = 0.0,
    yx: Entry = 0.0,
    yy: Entry = 1.0,
    y: Entry = 0.0,
) -> "tf.Tensor":
    """Matrices float32 [N, 3, 3] with the rows (xx, xy, x), (yx, yy, y) and (0, 0, 1)."""
    import tensorflow as tf

    entries = (xx, xy, x, yx, yy, y, 0.0, 0.0, 1.0)
    shape = tf.shape(sum(entries))
    return tf.reshape(
        tf.stack([tf.broadcast_to(entry, shape) for entry in entries], axis=-1), (-1, 3, 3)
    )
