"""Ops that paint rectangles or mix images of a batch."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from darkroom.trainer.augmentation.augment import Drawn, apply, augment
from darkroom.trainer.augmentation.boxes import find_boxes
from darkroom.trainer.augmentation.config import AugmentationConfig
from darkroom.trainer.augmentation.cutmix import CutMix
from darkroom.trainer.augmentation.mixup import MixUp
from darkroom.trainer.augmentation.random_erasing import RandomErasing

LEVELS = np.array([0, 80, 160, 240])
PLAIN = np.stack([np.full((8, 10, 3), level, np.uint8) for level in LEVELS])
SEED = tf.constant([3, 4], tf.int64)


def mixed(config: AugmentationConfig, targets=None) -> tuple[np.ndarray, np.ndarray]:
    targets = tf.eye(4) if targets is None else tf.constant(targets)
    images, found = augment(tf.constant(PLAIN), targets, config, SEED)
    return images.numpy(), found.numpy()


@given(
    area=st.floats(0.05, 1),
    shape=st.tuples(*[st.floats(-1, 1)] * 3),
    height=st.integers(8, 64),
    width=st.integers(8, 64),
)
def test_a_rectangle_is_whole_and_as_large_as_it_should_be(area, shape, height, width):
    (mask,) = find_boxes(tf.constant([area]), tf.constant(shape)[:, None], height, width).numpy()
    rows, columns = mask.any(axis=1), mask.any(axis=0)
    np.testing.assert_array_equal(mask, rows[:, None] & columns[None, :])
    for side in (rows, columns):
        assert np.abs(np.diff(side.astype(int))).sum() <= 2, "one piece"
    wide = 2 ** (shape[0] / 2)
    sides = min(1, area**0.5 / wide) * height, min(1, area**0.5 * wide) * width
    assert abs(rows.sum() - sides[0]) <= 1 and abs(columns.sum() - sides[1]) <= 1


def test_half_of_the_images_are_painted_over_in_their_mean_colour():
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    targets = tf.eye(40)
    found, kept = augment(
        tf.constant(images), targets, AugmentationConfig(random_erasing=0.5), SEED
    )
    np.testing.assert_array_equal(kept, targets)
    touched = np.any(found.numpy() != images, axis=-1)
    assert 10 < touched.any(axis=(1, 2)).sum() < 30
    for before, after, where in zip(images, found.numpy(), touched, strict=True):
        if where.any():
            np.testing.assert_allclose(
                after[where].mean(axis=0), before.mean(axis=(0, 1)), atol=0.51
            )


@pytest.mark.parametrize("field", ["mixup", "cutmix"])
def test_targets_are_mixed_in_the_shares_that_are_seen(field):
    images, targets = mixed(AugmentationConfig(**{field: 0.5}))
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=1e-6)
    assert np.any(np.diag(targets) < 0.99)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), targets @ LEVELS, atol=0.51)


@pytest.mark.parametrize("field", ["mixup", "cutmix"])
def test_what_does_not_count_is_mixed_with_nothing(field):
    padded = np.eye(4, dtype=np.float32)
    padded[3] = 0.0
    images, targets = mixed(AugmentationConfig(**{field: 0.5}), padded)
    np.testing.assert_array_equal(targets[3], 0.0)
    np.testing.assert_array_equal(targets[0], padded[0])
    np.testing.assert_array_equal(images[[0, 3]], PLAIN[[0, 3]])
    np.testing.assert_allclose(targets[:3].sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "numbers"),
    [
        (RandomErasing(0.5), [[-0.1], [0.0], [0.0], [0.0]]),
        (CutMix(0.5), [[0.0], [1.0], [0.0], [0.0]]),
        (MixUp(0.5), [0.0]),
    ],
)
def test_no_area_and_no_share_change_nothing(op, numbers):
    drawn = Drawn(op, tf.repeat(tf.constant(numbers), 4, axis=-1))
    images, targets = apply(tf.constant(PLAIN), tf.eye(4), [drawn])
    np.testing.assert_array_equal(images, PLAIN)
    np.testing.assert_array_equal(targets, tf.eye(4))
