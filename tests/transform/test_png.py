"""How the graph renders transparency and 16 bits."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from pydantic import ValidationError

from darkroom.tests.images import encode, pixels, save
from darkroom.transform.config import Rendering, TransformConfig
from darkroom.transform.images import decode_images
from darkroom.transform.png import decode_png

ALPHA = np.arange(256, dtype=np.uint8).reshape(16, 16)
WIDE = np.arange(64, dtype=np.uint16).reshape(8, 8) * 60 + 100


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 77)])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composed_as_pillow_does(background, mode):
    content = save(Image.fromarray(np.dstack([pixels(16, 16), ALPHA])).convert(mode), "PNG")
    image = Image.open(io.BytesIO(content)).convert("RGBA")
    page = Image.new("RGB", image.size, background)
    page.paste(image.convert("RGB"), mask=image.getchannel("A"))
    composed = decode_png(tf.constant(content), Rendering(background)).numpy()
    np.testing.assert_array_equal(composed, np.asarray(page))


def test_greys_of_sixteen_bits_are_stretched_by_option():
    content = tf.constant(encode(WIDE))
    plain = decode_png(content, Rendering()).numpy()
    np.testing.assert_array_equal(plain[..., 1], WIDE // 256)
    stretched = decode_png(content, Rendering(stretch_16_bit=True)).numpy()
    expected = np.rint((WIDE - 100.0) * 255 / (WIDE.max() - 100.0))
    np.testing.assert_array_equal(stretched, np.repeat(expected[..., np.newaxis], 3, axis=2))
    even = decode_png(tf.constant(encode(WIDE * 0 + 9)), Rendering(stretch_16_bit=True))
    assert even.shape == (8, 8, 3) and not even.numpy().any()


def test_eight_bits_are_not_stretched():
    content = tf.constant(encode(np.full((8, 8), 90, np.uint8)))
    assert (decode_png(content, Rendering(stretch_16_bit=True)).numpy() == 90).all()


def test_the_recipe_says_how():
    config = TransformConfig(background="#0aC84d", stretch_16_bit=True)
    assert config.rendering == Rendering((10, 200, 77), True)
    content = save(Image.new("RGBA", (8, 8)), "PNG")
    images, valid = decode_images(tf.constant([content]), 8, 8, "stretch", config.rendering)
    assert valid.numpy().all() and (images.numpy() == (10, 200, 77)).all()
    with pytest.raises(ValidationError, match="background"):
        TransformConfig(background="white")
