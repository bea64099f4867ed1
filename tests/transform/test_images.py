import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from darkroom.tests.images import encode, encode_with_orientation, pixels, save
from darkroom.transform.images import decode_image, decode_images


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def decode_16(image_bytes):
    return decode_images(image_bytes, 16, 16, "stretch")


def upright(image_bytes: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(image_bytes))).convert("RGB"))


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "GIF"])
def test_formats_decode_as_pillow_does(image_format):
    encoded = encode(pixels(16, 16), image_format)
    decoded = decode_image(tf.constant(encoded), 16, 16, "stretch").numpy().astype(int)
    assert np.abs(decoded - upright(encoded)).max() <= 3


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation, endian):
    encoded = encode_with_orientation(pixels(24, 40), orientation, endian)
    expected = upright(encoded)
    height, width = expected.shape[:2]
    decoded = decode_image(tf.constant(encoded), height, width, "stretch").numpy().astype(int)
    assert np.abs(decoded - expected).max() <= 12


@pytest.mark.parametrize("size", [40, 80, 160, 320])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_large_jpeg_is_decoded_in_part_and_looks_the_same(size, mode):
    """Sides of 3, 6, 12 and 25 times what is wanted: whole, and at each of the ratios."""
    image = Image.fromarray(pixels(1000, 1000)).convert(mode)
    encoded = save(image, "JPEG", quality=95)
    expected = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    decoded = decode_image(tf.constant(encoded), size, size, "stretch").numpy().astype(int)
    assert np.abs(decoded - np.asarray(expected)).mean() < 1


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_turned_too(orientation):
    encoded = encode_with_orientation(pixels(400, 600), orientation)
    decoded = decode_image(tf.constant(encoded), 32, 32, "stretch").numpy().astype(int)
    expected = Image.fromarray(upright(encoded)).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.abs(decoded - np.asarray(expected)).mean() < 1


def test_the_end_of_a_large_jpeg_is_looked_at():
    encoded = encode(pixels(1000, 1000), "JPEG")
    cut = encoded[: len(encoded) * 2 // 3]
    images, valid = decode_16(tf.constant([encoded, cut]))
    assert valid.numpy().tolist() == [True, False]
    assert images.numpy()[0].any()


@pytest.mark.parametrize("grey", [np.uint8(77), np.uint8(255)])
def test_greyscale_becomes_three_equal_channels(grey):
    encoded = encode(np.full((9, 7), grey))
    assert (decode_image(tf.constant(encoded), 32, 32, "stretch").numpy() == grey).all()


def test_a_broken_image_spoils_only_its_own_row():
    good, other = encode(pixels(seed=1)), encode(pixels(seed=2), "JPEG")
    images, valid = decode_16(tf.constant([good, b"", b"no image", good[:40], other]))
    assert valid.numpy().tolist() == [True, False, False, False, True]
    assert not images.numpy()[1:4].any()
    alone, _ = decode_16(tf.constant([other]))
    np.testing.assert_array_equal(images[4], alone[0])


def test_batches_may_be_empty_or_all_broken():
    assert decode_16(tf.constant([], tf.string))[0].shape == (0, 16, 16, 3)
    assert decode_16(tf.constant([b"x", b""]))[1].numpy().tolist() == [False, False]


def test_eager_and_in_a_graph_agree():
    batch = tf.constant([encode(pixels(seed=seed)) for seed in range(3)])
    eager, _ = decode_images(batch, 16, 16, "stretch")
    np.testing.assert_array_equal(eager, decode_16(batch)[0])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200), st.integers(1, 20))
def test_damaged_exif_never_raises_beyond_decoding(noise, start, length):
    encoded = bytearray(encode_with_orientation(pixels(), 6))
    encoded[2 + start : 2 + start + length] = noise
    images, valid = decode_16(tf.constant([bytes(encoded), encode(pixels())]))
    assert valid.numpy()[1]
    assert images.shape == (2, 16, 16, 3)


@pytest.mark.parametrize(("height", "width"), [(40, 80), (80, 40), (37, 91), (1, 50)])
def test_crop_keeps_the_centre_and_pad_keeps_everything(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2, :] = image[:, width // 2] = 255
    encoded = tf.constant(encode(image))
    cropped = decode_image(encoded, 32, 32, "crop").numpy()
    padded = decode_image(encoded, 32, 32, "pad").numpy()
    assert cropped.shape == padded.shape == (32, 32, 3)
    assert cropped[12:20, 12:20].max() > 60
    empty_rows = (padded.max(axis=(1, 2)) == 0).sum()
    empty_columns = (padded.max(axis=(0, 2)) == 0).sum()
    assert bool(empty_rows > 1) == (width > height)
    assert bool(empty_columns > 1) == (height > width)
