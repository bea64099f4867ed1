import base64
import io

import numpy as np
import pytest
from PIL import Image

from darkroom.components.run_report.pictures import LARGEST, make_thumbnail
from darkroom.tests.images import encode, encode_with_orientation, pixels


def decode(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


def test_a_small_image_keeps_every_pixel():
    image = pixels(28, 20)
    thumbnail = make_thumbnail(encode(image))
    assert thumbnail.width == 20
    np.testing.assert_array_equal(np.asarray(decode(thumbnail.uri)), image)


def test_a_large_image_is_shrunk_and_keeps_its_shape():
    thumbnail = make_thumbnail(encode(pixels(600, 1200), "JPEG"))
    assert decode(thumbnail.uri).size == (LARGEST, LARGEST // 2)
    assert len(thumbnail.uri) < 20_000


def test_an_image_is_turned_upright():
    sideways = make_thumbnail(encode_with_orientation(pixels(40, 20), orientation=6))
    assert decode(sideways.uri).size == (40, 20)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16"])
def test_every_mode_becomes_a_picture(mode):
    buffer = io.BytesIO()
    Image.new(mode, (10, 8)).save(buffer, "TIFF" if mode in ("CMYK", "I;16") else "PNG")
    assert decode(make_thumbnail(buffer.getvalue()).uri).mode == "RGB"


@pytest.mark.parametrize("broken", [b"", b"not an image", encode(pixels())[:200]])
def test_what_cannot_be_read_has_no_thumbnail(broken):
    assert make_thumbnail(broken) is None
