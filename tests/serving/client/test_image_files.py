import io

import numpy as np
import pytest
from PIL import Image

from darkroom.serving.client.image_files import UnreadableError, find_images
from darkroom.tests.images import encode, pixels, save


def read(path):
    (image,) = find_images([str(path)], print)
    return image.read()


@pytest.mark.parametrize("image_format", ["WEBP", "TIFF", "GIF", "AVIF", "JPEG2000"])
def test_what_the_model_does_not_decode_is_sent_as_png(tmp_path, image_format):
    path = tmp_path / "photo"
    path.write_bytes(encode(pixels(), image_format))
    sent = Image.open(io.BytesIO(read(path)))
    assert sent.format == "PNG"
    np.testing.assert_array_equal(sent, Image.open(path).convert("RGB"))


@pytest.mark.parametrize("content", [encode(pixels()), encode(pixels(), "JPEG"), b"no image", b""])
def test_the_rest_is_sent_as_it_is(tmp_path, content):
    path = tmp_path / "photo"
    path.write_bytes(content)
    assert read(path) == content


def test_a_format_that_is_not_read_is_named(tmp_path):
    path = tmp_path / "photo"
    path.write_bytes(save(Image.new("F", (8, 8)), "TIFF"))
    with pytest.raises(UnreadableError, match="not supported: TIFF with more than 16 bits a value"):
        read(path)


def test_a_folder_is_its_images_of_all_formats(tmp_path):
    for name in ("a.webp", "b.HEIC", "c.tif", "d.txt"):
        (tmp_path / name).write_bytes(b"")
    assert len(find_images([str(tmp_path)], print)) == 3
