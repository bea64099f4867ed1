import io
import os

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.components.image_example_gen import images as module
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.files import read_image
from darkroom.components.image_example_gen.images import describe, laplacian_variance
from darkroom.components.image_example_gen.load import load_row
from darkroom.components.image_example_gen.rejection import Reason, RowRejectedError
from darkroom.components.image_example_gen.rows import Row
from darkroom.tests.images import encode, encode_with_orientation, pixels
from darkroom.tests.unprivileged import unprivileged_folder


def reason(call, *arguments):
    with pytest.raises(RowRejectedError) as caught:
        call(*arguments)
    assert caught.value.detail
    return caught.value.reason


def saved(image, image_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def picture(mode):
    return Image.fromarray(pixels(6, 8)).convert(mode)


def tensorflow_decodes(content):
    try:
        tf.io.decode_image(content, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return True


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
        ("GIF", "P", 3),
        ("BMP", "L", 1),
        ("BMP", "RGB", 3),
    ],
)
def test_what_tensorflow_decodes_is_described(image_format, mode, channels):
    content = saved(picture(mode), image_format)
    found = describe(content)
    assert (found["height"], found["width"], found["channels"]) == (6, 8, channels)
    assert found["bytes"] == len(content)
    assert tensorflow_decodes(content)


def test_grey_levels_are_those_of_the_picture():
    image = pixels(9, 11)
    grey = np.asarray(Image.fromarray(image).convert("L")).astype(float)
    found = describe(encode(image))
    np.testing.assert_allclose([found["mean"], found["stddev"]], [grey.mean(), grey.std()])


def test_sixteen_bits_are_described_as_their_upper_eight():
    wide = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    upper = wide // 256
    found = describe(encode(wide))
    np.testing.assert_allclose([found["mean"], found["stddev"]], [upper.mean(), upper.std()])


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


@pytest.mark.parametrize(
    ("content", "expected", "detail"),
    [
        (b"no image at all", Reason.NOT_AN_IMAGE, "no known"),
        (saved(picture("RGB"), "TIFF"), Reason.UNSUPPORTED_FORMAT, "TIFF"),
        (saved(picture("RGB"), "WEBP"), Reason.UNSUPPORTED_FORMAT, "WEBP"),
        (saved(picture("1"), "BMP"), Reason.UNSUPPORTED_FORMAT, "BMP with 1 bits"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", Reason.UNSUPPORTED_FORMAT, "HEIC"),
    ],
)
def test_the_rest_is_rejected_with_the_format(content, expected, detail):
    with pytest.raises(RowRejectedError) as caught:
        describe(content)
    assert caught.value.reason == expected
    assert detail in caught.value.detail
    assert " at 0x" not in caught.value.detail


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP"])
def test_every_truncation_is_noticed(image_format):
    content = encode(pixels(16, 12), image_format)
    assert describe(content)
    for end in range(1, len(content)):
        assert reason(describe, content[:end]) == Reason.NOT_AN_IMAGE


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_spoiled_png_is_accepted_only_if_tensorflow_decodes_it(place, flip):
    content = bytearray(encode(pixels(9, 9)))
    content[int(place * len(content))] ^= flip
    try:
        describe(bytes(content))
    except RowRejectedError:
        return
    assert tensorflow_decodes(bytes(content))


def test_large_images_are_rejected_by_their_header(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 50)
    assert reason(describe, encode(pixels(10, 10))) == Reason.TOO_LARGE
    assert describe(encode(pixels(5, 10)))


def test_decompression_bombs_are_rejected():
    size = (20_000, 20_000)
    assert reason(describe, saved(Image.new("1", size), "PNG")) == Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("absent.png", Reason.MISSING_FILE),
        ("", Reason.MISSING_FILE),
        ("folder", Reason.MISSING_FILE),
        ("ok.png/x.png", Reason.MISSING_FILE),
        ("nul\0.png", Reason.MISSING_FILE),
        ("x" * 300, Reason.UNREADABLE),
        ("empty.png", Reason.EMPTY_FILE),
        ("pipe", Reason.UNREADABLE),
        ("loop", Reason.UNREADABLE),
        ("../outside.png", Reason.PATH_OUTSIDE_DATA),
        ("folder/../../outside.png", Reason.PATH_OUTSIDE_DATA),
        ("..", Reason.PATH_OUTSIDE_DATA),
        ("/outside.png", Reason.PATH_OUTSIDE_DATA),
        ("link.png", Reason.PATH_OUTSIDE_DATA),
        ("linked/outside.png", Reason.PATH_OUTSIDE_DATA),
    ],
)
def test_bad_files_are_rejected(tmp_path, path, expected):
    root = tmp_path / "data"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(b"secret")
    (root / "ok.png").write_bytes(b"x")
    (root / "empty.png").touch()
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    (root / "linked").symlink_to(tmp_path)
    (root / "inside.png").symlink_to("ok.png")
    assert reason(read_image, root, path) == expected
    assert read_image(root, "folder/../ok.png") == b"x"
    assert read_image(root, "inside.png") == b"x"


def test_forbidden_files_are_rejected():
    with unprivileged_folder() as folder:
        (folder / "a.png").write_bytes(b"x")
        (folder / "a.png").chmod(0)
        assert reason(read_image, folder, "a.png") == Reason.UNREADABLE


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Row(1, "a.png", ""), Reason.EMPTY_LABEL),
        (Row(1, "a.png", "two\nlines"), Reason.MALFORMED_ROW),
        (Row(1, "a.png", "x", problem="3 cells, the header has 2"), Reason.MALFORMED_ROW),
        (Row(1, "\udcff.png", "x"), Reason.UNREADABLE),
    ],
)
def test_bad_rows_are_rejected(tmp_path, row, expected):
    (tmp_path / "a.png").write_bytes(encode(pixels()))
    config = DataConfig(path=tmp_path)
    assert load_row(Row(1, "a.png", "x"), tmp_path, config).descriptors["height"] == 20
    assert reason(load_row, row, tmp_path, config) == expected
