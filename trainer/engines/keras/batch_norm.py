"""Batch normalization layers: found in a backbone, set, and made faster to train."""

from typing import Any

import keras
import tensorflow as tf


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, whose training step is TensorFlow's one fused operation.

    Keras 3 writes it as some twenty operations, which on a CPU take longer than the convolutions
    between them. The results differ in rounding, and the moving variance is that of a sample
    (divided by N - 1 instead of N), as it was in Keras 2. Where nothing is learned, or where the
    fused operation does not apply, this is Keras' own computation. It bears Keras' name because
    files of weights say by their class which layer is meant.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalizes `inputs` [N, H, W, C]."""
        if not (training and self.trainable and mask is None and self._is_fusable(inputs)):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return outputs

    def _is_fusable(self, inputs: Any) -> bool:
        return (
            len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and self.scale
            and self.center
            and not self.synchronized
            and inputs.dtype == tf.float32
        )


def batch_norm_layers(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """The batch normalization layers of a backbone."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def fuse_batch_norm(model: keras.Model) -> keras.Model:
    """A copy of a backbone, with new weights, whose batch normalization is fused."""

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = type(layer)
        if kind is keras.layers.BatchNormalization:
            kind = BatchNormalization
        return kind.from_config(layer.get_config())

    if not batch_norm_layers(model):
        return model
    return keras.models.clone_model(model, clone_function=copy)


def set_batch_norm_momentum(model: keras.Model, momentum: float) -> None:
    """Sets how slowly the moving statistics of batch normalization follow the batches."""
    for layer in batch_norm_layers(model):
        layer.momentum = momentum
