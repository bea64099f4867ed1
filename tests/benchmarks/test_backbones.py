"""Multiplications, counted by hand."""

import keras

from darkroom.benchmarks.backbones import count_multiplications


def test_each_output_position_costs_a_kernel():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            layers.Conv2D(4, 3, strides=2, padding="same"),
            layers.DepthwiseConv2D(5, padding="same"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    assert count_multiplications(model) == 4 * 3 * (3 * 3 * 3 * 4) + 4 * 3 * (5 * 5 * 4) + 4 * 10
