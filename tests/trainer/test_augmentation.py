import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from darkroom.trainer.augmentation import (
    Variation,
    apply_variation,
    augment,
    augment_batches,
    draw_variation,
)
from darkroom.trainer.config import AugmentationConfig

EVERYTHING = AugmentationConfig(
    rotation=20, translation=0.2, zoom=0.2, horizontal_flip=True, brightness=0.2, contrast=0.2
)
FACTORS = st.builds(
    AugmentationConfig,
    rotation=st.floats(0, 180),
    translation=st.floats(0, 0.5),
    zoom=st.floats(0, 0.9),
    horizontal_flip=st.booleans(),
    brightness=st.floats(0, 1),
    contrast=st.floats(0, 1),
)


def pictures(count: int = 4, height: int = 8, width: int = 10) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@given(config=FACTORS, seed=st.integers(0, 2**31))
def test_shape_and_type_are_kept(config, seed):
    images = pictures()
    varied = augment(images, config, [seed, 1])
    assert varied.dtype == tf.uint8
    assert varied.shape == images.shape


@given(seed=st.integers(0, 2**31), height=st.integers(1, 12), width=st.integers(1, 12))
def test_zero_factors_change_nothing(seed, height, width):
    images = pictures(2, height, width)
    drawn = draw_variation(AugmentationConfig(), tf.constant([seed, 1]), 2, height, width)
    np.testing.assert_array_equal(apply_variation(images, EVERYTHING, drawn), images)
    np.testing.assert_array_equal(augment(images, AugmentationConfig(), [seed, 1]), images)


@given(seed=st.integers(0, 2**31), level=st.integers(0, 255))
def test_moving_a_plain_image_shows_no_border(seed, level):
    config = AugmentationConfig(rotation=180, translation=0.5, zoom=0.9, horizontal_flip=True)
    plain = np.full((3, 8, 8, 3), level, np.uint8)
    np.testing.assert_array_equal(augment(plain, config, [seed, 1]), plain)


def test_flip_gives_each_image_or_its_mirror():
    images = pictures(32)
    varied = augment(images, AugmentationConfig(horizontal_flip=True), [3, 4]).numpy()
    kept = np.all(varied == images, axis=(1, 2, 3))
    mirrored = np.all(varied == images[:, :, ::-1], axis=(1, 2, 3))
    assert np.all(kept ^ mirrored)
    assert 4 < kept.sum() < 28


def test_translation_moves_by_whole_pixels_where_told_to():
    images = pictures(1, 8, 8)
    still = draw_variation(AugmentationConfig(), tf.constant([0, 0]), 1, 8, 8)
    transforms = still.transforms.numpy()
    transforms[:, 2] -= 2.0
    moved = apply_variation(images, EVERYTHING, Variation(transforms, *still[1:])).numpy()
    np.testing.assert_array_equal(moved[:, :, 2:], images[:, :, :-2])


def test_quarter_turn_is_that_of_numpy():
    images = pictures(1, 9, 9)
    still = draw_variation(AugmentationConfig(), tf.constant([0, 0]), 1, 9, 9)
    turn = np.array([[0, -1, 8, 1, 0, 0, 0, 0]], np.float32)
    turned = apply_variation(images, EVERYTHING, Variation(turn, *still[1:])).numpy()
    assert any(np.array_equal(turned[0], np.rot90(images[0], k)) for k in (1, 3))


@pytest.mark.parametrize(
    ("field", "limit"), [("rotation", 15.0), ("translation", 0.25), ("zoom", 0.3)]
)
def test_drawn_transforms_stay_within_the_limit_and_use_it(field, limit):
    config = AugmentationConfig(**{field: limit})
    drawn = draw_variation(config, tf.constant([5, 6]), 500, 9, 9).transforms.numpy()
    linear = drawn[:, [0, 1, 3, 4]].reshape(-1, 2, 2)
    centre = np.array([4.0, 4.0])
    values = {
        "rotation": np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0])),
        "translation": (linear @ centre + drawn[:, [2, 5]] - centre)[:, 0] / 9,
        "zoom": 1 / np.sqrt(np.linalg.det(linear)) - 1,
    }[field]
    assert 0.9 * limit < np.abs(values).max() <= limit * 1.001
    assert abs(values.mean()) < 0.1 * limit


def test_all_that_varies_is_drawn_independently():
    drawn = draw_variation(EVERYTHING, tf.constant([5, 6]), 2000, 9, 9)
    linear = drawn.transforms.numpy()[:, [0, 1, 3, 4]].reshape(-1, 2, 2)
    # The output's centre comes from where the shift points away from.
    offset = linear @ np.array([4.0, 4.0]) + drawn.transforms.numpy()[:, [2, 5]]
    shift = np.linalg.solve(linear, (4.0 - offset)[..., np.newaxis])[..., 0]
    factors = [
        np.sign(np.linalg.det(linear)),
        np.arctan2(linear[:, 1, 0], linear[:, 1, 1]),
        np.sqrt(np.abs(np.linalg.det(linear))),
        shift[:, 0],
        shift[:, 1],
        drawn.brightness.numpy(),
        drawn.contrast.numpy(),
    ]
    correlations = np.corrcoef(factors) - np.eye(len(factors))
    assert np.abs(correlations).max() < 0.1, "of 2000 draws, chance makes 0.08 at most"


def test_brightness_and_contrast_change_mean_and_spread():
    images = np.clip(pictures(200), 100, 150)
    brighter = augment(images, AugmentationConfig(brightness=0.1), [1, 1]).numpy()
    shift = brighter.mean(axis=(1, 2, 3)) - images.mean(axis=(1, 2, 3))
    assert 20 < np.abs(shift).max() <= 26
    spread = augment(images, AugmentationConfig(contrast=0.5), [1, 1]).numpy()
    ratio = spread.std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert ratio.min() < 0.6 and ratio.max() > 1.4
    np.testing.assert_allclose(spread.mean(axis=(1, 2, 3)), images.mean(axis=(1, 2, 3)), atol=0.5)


def test_eager_and_in_tf_data_agree():
    images, seed = pictures(), tf.constant([7, 8], tf.int64)
    dataset = tf.data.Dataset.from_tensors(images).map(lambda x: augment(x, EVERYTHING, seed))
    np.testing.assert_array_equal(dataset.get_single_element(), augment(images, EVERYTHING, seed))


def passes(seed: int) -> list[np.ndarray]:
    labelled = tf.data.Dataset.from_tensor_slices((pictures(6), np.arange(6))).batch(3)
    dataset = augment_batches(labelled, EVERYTHING, seed)
    return [np.concatenate([images for images, _ in dataset]) for _ in range(2)]


def test_every_pass_varies_anew_and_the_seed_fixes_all_of_them():
    first, again, other = passes(1), passes(1), passes(2)
    assert np.any(first[0] != first[1])
    assert np.any(first[0] != other[0])
    np.testing.assert_array_equal(first, again)


def test_nothing_to_vary_leaves_the_dataset_itself():
    batches = tf.data.Dataset.from_tensors((pictures(), np.arange(4)))
    assert augment_batches(batches, AugmentationConfig(), 1) is batches
