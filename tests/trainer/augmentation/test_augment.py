import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from darkroom.trainer.augmentation.augment import Drawn, apply, augment, augment_batches, draw
from darkroom.trainer.augmentation.brightness import Brightness
from darkroom.trainer.augmentation.config import AugmentationConfig
from darkroom.trainer.augmentation.contrast import Contrast
from darkroom.trainer.augmentation.horizontal_flip import HorizontalFlip
from darkroom.trainer.augmentation.hue import Hue
from darkroom.trainer.augmentation.rotation import Rotation
from darkroom.trainer.augmentation.saturation import Saturation
from darkroom.trainer.augmentation.shear import Shear
from darkroom.trainer.augmentation.translation import Translation
from darkroom.trainer.augmentation.zoom import Zoom

EVERYTHING = AugmentationConfig(
    rotation=20,
    translation=0.2,
    zoom=0.2,
    horizontal_flip=True,
    brightness=0.2,
    contrast=0.2,
    shear=10,
    saturation=0.2,
    hue=0.1,
    random_erasing=0.3,
)
"""All that leaves the targets as they are."""
FACTORS = st.builds(
    AugmentationConfig,
    rotation=st.floats(0, 180),
    translation=st.floats(0, 0.5),
    zoom=st.floats(0, 0.9),
    horizontal_flip=st.booleans(),
    brightness=st.floats(0, 1),
    contrast=st.floats(0, 1),
)
NOTHING = [
    Drawn(HorizontalFlip(True), tf.ones(2)),
    Drawn(Rotation(20), tf.zeros(2)),
    Drawn(Zoom(0.2), tf.zeros(2)),
    Drawn(Translation(0.2), tf.zeros((2, 2))),
    Drawn(Brightness(0.2), tf.zeros(2)),
    Drawn(Contrast(0.2), tf.zeros(2)),
    Drawn(Shear(10), tf.zeros(2)),
    Drawn(Saturation(0.2), tf.zeros(2)),
    Drawn(Hue(0.1), tf.zeros(2)),
]
"""What every op may draw for two images, and then changes nothing."""


def pictures(count: int = 4, height: int = 8, width: int = 10) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def varied(images: np.ndarray, config: AugmentationConfig, seed: list[int]) -> np.ndarray:
    """The images; the targets have to stay as they are."""
    targets = tf.eye(len(images))
    found, kept = augment(tf.constant(images), targets, config, tf.constant(seed, tf.int64))
    np.testing.assert_array_equal(kept, targets)
    return found.numpy()


def applied(images: np.ndarray, *drawn: Drawn) -> np.ndarray:
    return apply(tf.constant(images), tf.eye(len(images)), drawn)[0].numpy()


@given(config=FACTORS, seed=st.integers(0, 2**31))
def test_shape_and_type_are_kept(config, seed):
    images = varied(pictures(), config, [seed, 1])
    assert images.dtype == np.uint8
    assert images.shape == pictures().shape


@given(height=st.integers(1, 12), width=st.integers(1, 12))
def test_zero_numbers_and_zero_limits_change_nothing(height, width):
    images = pictures(2, height, width)
    np.testing.assert_array_equal(applied(images, *NOTHING), images)
    np.testing.assert_array_equal(varied(images, AugmentationConfig(), [height, 1]), images)


@given(seed=st.integers(0, 2**31), level=st.integers(0, 255))
def test_moving_a_plain_image_shows_no_border(seed, level):
    config = AugmentationConfig(rotation=180, translation=0.5, zoom=0.9, horizontal_flip=True)
    plain = np.full((3, 8, 8, 3), level, np.uint8)
    np.testing.assert_array_equal(varied(plain, config, [seed, 1]), plain)


def test_flip_gives_each_image_or_its_mirror():
    images = pictures(32)
    flipped = varied(images, AugmentationConfig(horizontal_flip=True), [3, 4])
    kept = np.all(flipped == images, axis=(1, 2, 3))
    mirrored = np.all(flipped == images[:, :, ::-1], axis=(1, 2, 3))
    assert np.all(kept ^ mirrored)
    assert 4 < kept.sum() < 28


def test_translation_moves_by_whole_pixels_where_told_to():
    images = pictures(1, 8, 8)
    right = applied(images, Drawn(Translation(0.5), tf.constant([[0.0], [0.25]])))
    np.testing.assert_array_equal(right[:, :, 2:], images[:, :, :-2])
    up = applied(images, Drawn(Translation(0.5), tf.constant([[-0.125], [0.0]])))
    np.testing.assert_array_equal(up[:, :-1], images[:, 1:])


def test_quarter_turn_is_that_of_numpy():
    images = pictures(1, 9, 9)
    turned = applied(images, Drawn(Rotation(90), tf.constant([math.pi / 2])))
    np.testing.assert_array_equal(turned[0], np.rot90(images[0], 1))


def test_zoom_to_the_double_shows_the_middle():
    images = pictures(1, 9, 9)
    zoomed = applied(images, Drawn(Zoom(1.0), tf.constant([1.0])))
    np.testing.assert_array_equal(zoomed[:, ::2, ::2], images[:, 2:7, 2:7])


def test_a_slant_shifts_rows_by_their_distance_from_the_middle():
    images = pictures(1, 5, 9)
    slanted = applied(images, Drawn(Shear(45), tf.constant([math.pi / 4])))
    np.testing.assert_array_equal(slanted[0, 2], images[0, 2])
    np.testing.assert_array_equal(slanted[0, 4, :-2], images[0, 4, 2:])
    np.testing.assert_array_equal(slanted[0, 0, 2:], images[0, 0, :-2])


def test_movements_happen_in_order():
    images = pictures(1, 9, 9)
    turn = Drawn(Rotation(90), tf.constant([math.pi / 2]))
    mirror = Drawn(HorizontalFlip(True), tf.constant([-1.0]))
    mirrored = images[0, :, ::-1]
    np.testing.assert_array_equal(applied(images, mirror, turn)[0], np.rot90(mirrored))
    np.testing.assert_array_equal(applied(images, turn, mirror)[0], np.rot90(images[0])[:, ::-1])


@pytest.mark.parametrize(
    ("field", "limit", "unit"),
    [
        ("horizontal_flip", True, 1.0),
        ("rotation", 15.0, math.radians(1)),
        ("translation", 0.25, 1.0),
        ("zoom", 0.3, 1.0),
        ("brightness", 0.2, 1.0),
        ("contrast", 0.4, 1.0),
        ("shear", 15.0, math.radians(1)),
        ("saturation", 0.4, 1.0),
        ("hue", 0.1, 2 * math.pi),
        ("mixup", 0.4, 1.0),
    ],
)
def test_drawn_numbers_stay_within_the_limit_and_use_it(field, limit, unit):
    (drawn,) = draw(AugmentationConfig(**{field: limit}), tf.constant([5, 6]), 500)
    assert 0.9 * limit * unit < np.abs(drawn.numbers).max() <= limit * unit
    assert abs(np.mean(drawn.numbers)) < 0.1 * limit * unit


def test_all_that_varies_is_drawn_independently():
    drawn = draw(EVERYTHING, tf.constant([5, 6]), 2000)
    correlations = np.corrcoef(np.vstack([numbers for _, numbers in drawn])) - np.eye(14)
    assert np.abs(correlations).max() < 0.1, "of 2000 draws, chance makes 0.08 at most"


def test_an_op_draws_the_same_whichever_others_are_on():
    together = {type(op): numbers for op, numbers in draw(EVERYTHING, tf.constant([5, 6]), 9)}
    for field, limit in ((field, limit) for field, limit in EVERYTHING if limit):
        ((op, numbers),) = draw(AugmentationConfig(**{field: limit}), tf.constant([5, 6]), 9)
        np.testing.assert_array_equal(numbers, together[type(op)])


def test_brightness_and_contrast_change_mean_and_spread():
    images = np.clip(pictures(200), 100, 150)
    brighter = varied(images, AugmentationConfig(brightness=0.1), [1, 1])
    shift = brighter.mean(axis=(1, 2, 3)) - images.mean(axis=(1, 2, 3))
    assert 20 < np.abs(shift).max() <= 26
    spread = varied(images, AugmentationConfig(contrast=0.5), [1, 1])
    ratio = spread.std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert ratio.min() < 0.6 and ratio.max() > 1.4
    np.testing.assert_allclose(spread.mean(axis=(1, 2, 3)), images.mean(axis=(1, 2, 3)), atol=0.5)


def test_eager_and_in_tf_data_agree():
    images = tf.data.Dataset.from_tensors(pictures()).map(
        lambda x: augment(x, tf.eye(4), EVERYTHING, tf.constant([7, 8], tf.int64))[0]
    )
    np.testing.assert_array_equal(
        images.get_single_element(), varied(pictures(), EVERYTHING, [7, 8])
    )


def passes(seed: int) -> list[np.ndarray]:
    labelled = tf.data.Dataset.from_tensor_slices((pictures(6), np.eye(6))).batch(3)
    dataset = augment_batches(labelled, EVERYTHING, seed)
    return [np.concatenate([images for images, _ in dataset]) for _ in range(2)]


def test_every_pass_varies_anew_and_the_seed_fixes_all_of_them():
    first, again, other = passes(1), passes(1), passes(2)
    assert np.any(first[0] != first[1])
    assert np.any(first[0] != other[0])
    np.testing.assert_array_equal(first, again)


def test_nothing_to_vary_leaves_the_dataset_itself():
    batches = tf.data.Dataset.from_tensors((pictures(), np.eye(4)))
    assert augment_batches(batches, AugmentationConfig(), 1) is batches
