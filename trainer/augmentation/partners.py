"""Which image of a batch goes with which, for ops that mix them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def find_partners(targets: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
    """The image before each; the first one's is the last.

    Batches are shuffled, so that neighbours are no more alike than any two images.

    Args:
        targets: float32 [N, classes]; a row of zeros says that its image does not count.

    Returns:
        Indices int32 [N], and float32 [N]: 1 where both images count, else 0.
    """
    import tensorflow as tf

    count = tf.shape(targets)[0]
    others = tf.roll(tf.range(count), 1, axis=0)
    counts = tf.reduce_any(targets > 0.0, axis=1)
    return others, tf.cast(counts & tf.gather(counts, others), tf.float32)


def mix_targets(targets: "tf.Tensor", others: "tf.Tensor", shares: "tf.Tensor") -> "tf.Tensor":
    """Targets float32 [N, classes], with as much of the others' as `shares`, float32 [N], says."""
    import tensorflow as tf

    wide = shares[:, None]
    return targets * (1.0 - wide) + tf.gather(targets, others) * wide
