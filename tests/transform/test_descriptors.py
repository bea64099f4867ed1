import ast
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from darkroom.tests.images import encode, encode_with_orientation, picture, pixels, save
from darkroom.tests.transform.test_decoding import tensorflow_decodes
from darkroom.transform import decoding
from darkroom.transform.descriptors import describe, laplacian_variance


@pytest.mark.parametrize(
    ("image_format", "mode", "channels"),
    [
        ("PNG", "L", 1),
        ("PNG", "1", 1),
        ("PNG", "I;16", 1),
        ("PNG", "LA", 2),
        ("PNG", "P", 3),
        ("PNG", "RGB", 3),
        ("PNG", "RGBA", 4),
        ("JPEG", "L", 1),
        ("JPEG", "RGB", 3),
        ("JPEG", "CMYK", 4),
        ("MPO", "RGB", 3),
    ],
)
def test_what_tensorflow_decodes_is_described(image_format, mode, channels):
    content = save(picture(mode), image_format)
    found = describe(content)
    assert (found["height"], found["width"], found["channels"]) == (6, 8, channels)
    assert found["bytes"] == len(content)
    assert tensorflow_decodes(content)


def test_grey_levels_are_those_of_the_picture():
    image = pixels(9, 11)
    grey = np.asarray(Image.fromarray(image).convert("L")).astype(float)
    found = describe(encode(image))
    np.testing.assert_allclose([found["mean"], found["stddev"]], [grey.mean(), grey.std()])


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_large_jpeg_is_described_by_a_part_of_it(mode, monkeypatch):
    image = Image.fromarray(pixels(800, 1200)).convert(mode)
    content = save(image, "JPEG", quality=95)
    found = describe(content)
    assert (found["height"], found["width"]) == (800, 1200)
    assert found["channels"] == len(image.getbands())
    monkeypatch.setattr(decoding, "REDUCED_SIDE", 100)
    part = describe(content)
    for name in ("mean", "stddev"):
        assert part[name] == pytest.approx(found[name], abs=1)
    changed = {name for name in part if part[name] != found[name]}
    assert changed <= {"mean", "stddev", "sharpness"}
    assert decoding.decode(content).image.size == (150, 100)


def test_sixteen_bits_are_described_as_their_upper_eight():
    wide = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    upper = wide // 256
    found = describe(encode(wide))
    np.testing.assert_allclose([found["mean"], found["stddev"]], [upper.mean(), upper.std()])


def test_transparency_is_described_on_white():
    black = describe(save(Image.new("LA", (8, 8)), "PNG"))
    assert (black["mean"], black["channels"]) == (255, 2)


def test_orientation_is_not_applied():
    found = describe(encode_with_orientation(pixels(10, 20), 6))
    assert (found["height"], found["width"]) == (10, 20)


@pytest.mark.parametrize("shape", [(3, 3), (7, 5), (600, 4)])
def test_sharpness_is_the_variance_of_the_laplacian(shape):
    grey = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    wide = grey.astype(float)
    response = [
        wide[y - 1, x] + wide[y + 1, x] + wide[y, x - 1] + wide[y, x + 1] - 4 * wide[y, x]
        for y in range(1, shape[0] - 1)
        for x in range(1, shape[1] - 1)
    ]
    np.testing.assert_allclose(laplacian_variance(grey), np.var(response), atol=1e-9)


def test_sharpness_tells_blurred_from_sharp():
    sharp = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    blurred = np.asarray(Image.fromarray(sharp).resize((10, 10)).resize((40, 40)))
    assert describe(encode(sharp))["sharpness"] > 10 * describe(encode(blurred))["sharpness"]
    assert describe(encode(np.full((5, 5), 9, np.uint8)))["sharpness"] == 0
    assert describe(encode(np.eye(2, dtype=np.uint8)))["sharpness"] == 0


@pytest.mark.parametrize("missing", ["tensorflow", "tfx"])
def test_images_are_described_where_only_pillow_and_numpy_are(tmp_path, missing):
    image = tmp_path / "image.jpg"
    image.write_bytes(encode(pixels(), "JPEG"))
    program = (
        "import pathlib, sys; sys.modules[sys.argv[2]] = None;"
        "from darkroom.transform.descriptors import describe;"
        "print(describe(pathlib.Path(sys.argv[1]).read_bytes()))"
    )
    command = [sys.executable, "-c", program, str(image), missing]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert ast.literal_eval(said) == describe(image.read_bytes())
