"""Saturation and hue, beside what Pillow and the standard library make of the same colours."""

import colorsys
import math

import numpy as np
import pytest
import tensorflow as tf

from darkroom.trainer.augmentation.augment import Drawn, apply
from darkroom.trainer.augmentation.hue import Hue
from darkroom.trainer.augmentation.saturation import Saturation

COLOURS = np.random.default_rng(0).integers(60, 190, (2, 6, 6, 3), dtype=np.uint8)
GREYS = np.repeat(np.arange(36, dtype=np.uint8).reshape(1, 6, 6, 1) * 7, 3, axis=-1)


def changed(images, op, number):
    drawn = Drawn(op, tf.fill([len(images)], number))
    return apply(tf.constant(images), tf.eye(len(images)), [drawn])[0].numpy()


@pytest.mark.parametrize("op", [Saturation(1.0), Hue(0.5)])
@pytest.mark.parametrize("number", [-1.0, 0.4, 1.0])
def test_greys_stay_as_they_are(op, number):
    np.testing.assert_allclose(changed(GREYS, op, number).astype(int), GREYS, atol=1)


def test_without_saturation_an_image_is_its_luma():
    luma = np.round(COLOURS @ np.array([0.299, 0.587, 0.114]))
    grey = changed(COLOURS, Saturation(1.0), -1.0)
    np.testing.assert_allclose(grey, np.repeat(luma[..., None], 3, axis=-1), atol=1)


def test_a_turn_of_hue_is_that_of_yiq():
    """The standard library's YIQ has slightly other weights."""
    turned = changed(COLOURS, Hue(0.5), math.radians(60))
    for before, after in zip(COLOURS.reshape(-1, 3), turned.reshape(-1, 3), strict=True):
        y, i, q = colorsys.rgb_to_yiq(*(before / 255.0))
        there = complex(i, q) * np.exp(1j * math.radians(60))
        expected = colorsys.yiq_to_rgb(y, there.real, there.imag)
        np.testing.assert_allclose(after / 255.0, expected, atol=0.04)


def test_a_whole_turn_changes_nothing():
    np.testing.assert_allclose(changed(COLOURS, Hue(0.5), 2 * math.pi).astype(int), COLOURS, atol=1)
