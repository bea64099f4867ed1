"""A further op: a class, and a field of the section."""

from typing import Annotated

import numpy as np
import pytest
import tensorflow as tf
from pydantic import Field, ValidationError

from darkroom.trainer.augmentation.augment import augment, augment_batches
from darkroom.trainer.augmentation.config import AugmentationConfig
from darkroom.trainer.augmentation.op import Change, affine


class Blend(Change):
    """Every image with a share of its neighbour, and what both are called in the same shares."""

    def apply(self, images, targets, drawn):
        share = tf.abs(drawn)
        wide = share[:, None, None, None]
        return (
            images * (1.0 - wide) + tf.roll(images, 1, axis=0) * wide,
            targets * (1.0 - share[:, None]) + tf.roll(targets, 1, axis=0) * share[:, None],
        )


class Extended(AugmentationConfig):
    blend: Annotated[float, Field(ge=0, le=0.5), Blend] = 0.0


IMAGES = np.stack([np.full((8, 8, 3), level, np.uint8) for level in (0, 100, 200)])


def test_it_is_applied_after_the_others_and_mixes_targets():
    config = Extended(horizontal_flip=True, brightness=0.1, blend=0.5)
    assert [type(op).__name__ for op in config.ops][-2:] == ["CutMix", "Blend"]
    batches = tf.data.Dataset.from_tensors((IMAGES, tf.eye(3)))
    for blended in (Extended(blend=0.5), config):
        ((_, targets),) = augment_batches(batches, blended, 1)
        np.testing.assert_allclose(np.sum(targets, axis=1), 1.0, rtol=1e-6)
        assert np.all(np.diag(targets) < 1.0)
    ((images, targets),) = augment_batches(batches, Extended(blend=0.5), 1)
    expected = targets.numpy() @ np.array([0, 100, 200])
    np.testing.assert_allclose(images.numpy().mean(axis=(1, 2, 3)), expected, atol=0.5)


def test_it_leaves_the_others_random_numbers_as_they_are():
    fields = {"rotation": 30.0, "contrast": 0.5}
    seed = tf.constant([1, 2], tf.int64)
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    without = augment(images, tf.eye(3), AugmentationConfig(**fields), seed)[0]
    np.testing.assert_array_equal(without, augment(images, tf.eye(3), Extended(**fields), seed)[0])


def test_its_field_is_validated():
    with pytest.raises(ValidationError, match=r"less than or equal to 0\.5"):
        Extended(blend=0.6)


def test_matrices_of_numbers_for_each_image_and_for_all():
    matrices = affine(xy=tf.constant([2.0, 3.0]), y=4.0)
    np.testing.assert_array_equal(matrices[1], [[1, 3, 0], [0, 1, 4], [0, 0, 1]])
    assert matrices.shape == (2, 3, 3)
