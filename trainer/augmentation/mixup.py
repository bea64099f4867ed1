"""Images shine through each other."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from darkroom.trainer.augmentation.op import Change
from darkroom.trainer.augmentation.partners import find_partners, mix_targets

if TYPE_CHECKING:
    import tensorflow as tf


class MixUp(Change):
    """Mixes each image with another of its batch, and what both are called in the same shares.

    After Zhang et al., "mixup: Beyond Empirical Risk Minimization" (arXiv:1710.09412).

    Args:
        limit: The largest share of the other image.
    """

    def apply(
        self, images: "tf.Tensor", targets: "tf.Tensor", drawn: "tf.Tensor"
    ) -> tuple["tf.Tensor", "tf.Tensor"]:
        """Takes as much of the other one as the size of the number drawn."""
        import tensorflow as tf

        others, mixable = find_partners(targets)
        shares = tf.abs(drawn) * mixable
        wide = shares[:, None, None, None]
        mixed = images * (1.0 - wide) + tf.gather(images, others) * wide
        return mixed, mix_targets(targets, others, shares)


MixUpLimit = Annotated[float, Field(ge=0, le=0.5), MixUp]
