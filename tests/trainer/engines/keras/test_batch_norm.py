import keras
import numpy as np
import pytest
import tensorflow as tf

from darkroom.trainer.engines.keras.batch_norm import BatchNormalization, fuse_batch_norm

SHAPE = (6, 5, 4, 3)
GAMMA, BETA = (1.5, -0.5, 0.2), (0.1, 0.0, -3.0)


def layers(**options):
    """Keras' layer and ours, alike."""
    pair = [
        kind(momentum=0.8, epsilon=0.01, **options)
        for kind in (keras.layers.BatchNormalization, BatchNormalization)
    ]
    for layer in pair:
        layer.build(SHAPE)
        for weight, value in zip((layer.gamma, layer.beta), (GAMMA, BETA), strict=True):
            if weight is not None:
                weight.assign(np.resize(value, weight.shape))
    return pair


def images():
    return tf.constant(np.random.default_rng(1).normal(2.0, 3.0, SHAPE).astype(np.float32))


def step(layer, inputs):
    """Outputs, and gradients for inputs and weights, of a training step."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
        value = tf.reduce_sum(outputs * tf.sin(outputs))
    return outputs, *tape.gradient(value, [inputs, *layer.trainable_variables])


def operations(layer):
    function = tf.function(lambda inputs: layer(inputs, training=True))
    graph = function.get_concrete_function(tf.TensorSpec(SHAPE)).graph
    return {operation.type for operation in graph.get_operations()}


def test_a_training_step_computes_what_keras_computes_in_one_operation():
    keras_layer, ours = layers()
    for expected, found in zip(step(keras_layer, images()), step(ours, images()), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(ours.moving_mean, keras_layer.moving_mean, rtol=1e-5)
    count = np.prod(SHAPE[:3])
    unbiased = (keras_layer.moving_variance.numpy() - 0.8) * count / (count - 1) + 0.8
    np.testing.assert_allclose(ours.moving_variance, unbiased, rtol=1e-5)
    assert "FusedBatchNormV3" in operations(ours)
    assert "FusedBatchNormV3" not in operations(keras_layer)


@pytest.mark.parametrize("trainable", [True, False])
def test_without_training_and_when_frozen_it_uses_the_moving_statistics_as_keras_does(trainable):
    keras_layer, ours = layers()
    for layer in (keras_layer, ours):
        layer.trainable = trainable
        layer.moving_mean.assign((1.0, 2.0, 3.0))
        layer.moving_variance.assign((4.0, 5.0, 6.0))
    training = not trainable
    np.testing.assert_array_equal(
        ours(images(), training=training), keras_layer(images(), training=training)
    )
    np.testing.assert_array_equal(ours.moving_mean, (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    "option", [("scale", False), ("center", False), ("axis", 1), ("synchronized", True)], ids=str
)
def test_what_the_fused_operation_does_not_do_is_left_to_keras(option):
    keras_layer, ours = layers(**dict([option]))
    for expected, found in zip(step(keras_layer, images()), step(ours, images()), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_half_precision_is_left_to_keras():
    keras_layer, ours = layers(dtype="float16")
    np.testing.assert_array_equal(
        ours(images(), training=True), keras_layer(images(), training=True)
    )


def test_a_fused_copy_reads_and_writes_keras_files_of_weights(tmp_path):
    def network():
        inputs = keras.Input(SHAPE[1:])
        features = keras.layers.Conv2D(4, 3, name="convolution")(inputs)
        outputs = keras.layers.BatchNormalization(name="norm")(features)
        return keras.Model(inputs, outputs, name="backbone")

    plain, fused = network(), fuse_batch_norm(network())
    assert type(fused.get_layer("norm")) is BatchNormalization
    assert fused.name == "backbone"
    for source, target in ((plain, fused), (fused, network())):
        source.save_weights(tmp_path / "of.weights.h5")
        target.load_weights(tmp_path / "of.weights.h5")
        for written, read in zip(source.get_weights(), target.get_weights(), strict=True):
            np.testing.assert_array_equal(read, written)


def test_a_network_without_batch_normalization_is_returned_itself():
    inputs = keras.Input(SHAPE[1:])
    network = keras.Model(inputs, keras.layers.ReLU()(inputs))
    assert fuse_batch_norm(network) is network
