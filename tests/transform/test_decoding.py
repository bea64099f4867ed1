import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.tests.images import encode, picture, pixels, save
from darkroom.transform import decoding
from darkroom.transform.decoding import decode, read_header
from darkroom.transform.rejection import Reason, RejectedError


def reason(call, *arguments):
    with pytest.raises(RejectedError) as caught:
        call(*arguments)
    assert caught.value.detail
    return caught.value.reason


def tensorflow_decodes(content):
    try:
        tf.io.decode_image(content, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return True


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_every_truncation_is_noticed(image_format):
    content = encode(pixels(16, 12), image_format)
    assert decode(content)
    for end in range(1, len(content)):
        assert reason(decode, content[:end]) == Reason.NOT_AN_IMAGE


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_spoiled_png_is_accepted_only_if_tensorflow_decodes_it(place, flip):
    content = bytearray(encode(pixels(9, 9)))
    content[int(place * len(content))] ^= flip
    try:
        decode(bytes(content))
    except RejectedError:
        return
    assert tensorflow_decodes(bytes(content))


def test_large_images_are_rejected_by_their_header(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 50)
    assert reason(decode, encode(pixels(10, 10))) == Reason.TOO_LARGE
    assert decode(encode(pixels(5, 10)))


def test_decompression_bombs_are_rejected():
    size = (20_000, 20_000)
    assert reason(decode, save(Image.new("1", size), "PNG")) == Reason.TOO_LARGE


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "BMP"])
def test_a_header_is_read_without_the_pixels(image_format):
    content = save(picture("RGB"), image_format)
    header = content[: 54 if image_format == "BMP" else len(content) - 30]
    image = read_header(header)
    assert (image.format, image.size) == (image_format, (8, 6))
    assert reason(decode, header) == Reason.NOT_AN_IMAGE


def test_the_header_alone_is_enough_to_refuse(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 47)
    assert reason(read_header, save(picture("RGB"), "PNG")) == Reason.TOO_LARGE
    assert reason(read_header, save(picture("RGB"), "PCX")) == Reason.UNSUPPORTED_FORMAT
    assert reason(read_header, b"no image") == Reason.NOT_AN_IMAGE


def test_every_reason_has_a_code_and_words_of_its_own():
    assert len({reason.words for reason in Reason}) == len(Reason)
    assert all(Reason(reason.value) is reason for reason in Reason)
    assert Reason("not_an_image") is Reason.NOT_AN_IMAGE
