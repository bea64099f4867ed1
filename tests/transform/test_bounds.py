"""Ingest and served graph refuse the same images, by their headers alone."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from darkroom.tests.images import encode, pixels
from darkroom.tests.memory import peak_growth
from darkroom.transform.bounds import bound_image
from darkroom.transform.conversion import convert
from darkroom.transform.descriptors import describe
from darkroom.transform.images import decode_images
from darkroom.transform.limits import MAX_PIXELS, MAX_PNG_TEXTS
from darkroom.transform.rejection import Reason, RejectedError

SIDE = 9459  # 9459 * 9459 pixels are within the limit, 9460 * 9459 are not.
GOOD = encode(pixels())


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def decode_16(image_bytes):
    return decode_images(image_bytes, 16, 16, "stretch")


def is_valid(content: bytes) -> bool:
    """Whether the graph decodes it, between two neighbours that it has to decode."""
    found = decode_16(tf.constant([GOOD, content, GOOD]))[1].numpy().tolist()
    assert found[0] and found[2]
    return found[1]


def rejection(content: bytes) -> Reason | None:
    try:
        describe(convert(content))
    except RejectedError as error:
        return error.reason
    return None


def is_passed_on(content: bytes) -> bool:
    """Whether the graph's decoder would get it; a broken header ends before."""
    try:
        return bool(bound_image(tf.constant(content)).numpy())
    except tf.errors.InvalidArgumentError:
        return False


def chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def png(height: int, width: int, rows: int, *more: bytes, first: bytes = b"") -> bytes:
    """A black PNG that says one height and has as many rows as another."""
    packer = zlib.compressobj(9)
    data = b"".join([packer.compress(bytes(width + 1)) for _ in range(rows)]) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    parts = [b"\x89PNG\r\n\x1a\n", first, header, *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"".join(parts)


def bmp(height: int, width: int, pixels: int = 0) -> bytes:
    sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + sizes + bytes(pixels)


def os2_bmp() -> bytes:
    return b"BM" + struct.pack("<IHHIIHHHH", 0, 0, 0, 26, 12, 8, 8, 1, 24) + bytes(8 * 8 * 3)


def gif(screen: tuple[int, int], *frames: tuple[int, int, int, int]) -> bytes:
    """Frames of (left, top, width, height), each with the data of a single pixel."""
    content = b"GIF89a" + struct.pack("<HHBBB", *screen, 0xF0, 0, 0) + b"\0\0\0\xff\xff\xff"
    for frame in frames:
        content += b"," + struct.pack("<HHHHB", *frame, 0) + b"\x02\x02\x44\x01\x00"
    return content + b";"


def jpeg(height: int, width: int, *segments: bytes) -> bytes:
    """A JPEG of Pillow's whose header says another size, with more segments in front."""
    content = encode(pixels(8, 8), "JPEG")
    at = content.index(b"\xff\xc0") + 5
    content = content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]
    return content[:2] + b"".join(segments) + content[2:]


def thumbnail(height: int, width: int) -> bytes:
    """An APP1 segment with a JPEG of its own in it."""
    inner = b"Exif\0\0" + jpeg(height, width)
    return b"\xff\xe1" + struct.pack(">H", len(inner) + 2) + inner


TOO_LARGE = {
    "PNG": png(SIDE + 1, SIDE, 0),
    "PNG of 256 million pixels": png(16000, 16000, 16000),
    "PNG behind a stranger": png(SIDE + 1, SIDE, 0, first=chunk(b"abCd", b"")),
    "PNG with texts": png(
        8, 8, 8, *[chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 10))] * (MAX_PNG_TEXTS + 1)
    ),
    "JPEG": jpeg(SIDE + 1, SIDE),
    "JPEG with small thumbnail": jpeg(SIDE + 1, SIDE, thumbnail(8, 8)),
    "JPEG behind a comment": jpeg(SIDE + 1, SIDE, b"\xff\xfe\0\x05abc"),
    "JPEG of the largest sides": jpeg(65500, 65500),
    "BMP": bmp(SIDE + 1, SIDE),
    "BMP upside down": bmp(-SIDE - 1, SIDE),
    "GIF by its screen": gif((SIDE + 1, SIDE), (0, 0, 1, 1)),
    "GIF by its frame": gif((1, 1), (0, 0, SIDE + 1, SIDE)),
    "GIF by its frame's place": gif((SIDE, SIDE), (SIDE, 0, 1, 1)),
}
LARGEST = {
    "PNG": png(SIDE, SIDE, 0),
    "JPEG": jpeg(SIDE, SIDE, thumbnail(60000, 60000)),
    "BMP": bmp(-SIDE, SIDE),
    "GIF": gif((SIDE, SIDE), (SIDE - 1, 0, 1, 1)),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_by_ingest_and_graph(name):
    with peak_growth() as megabytes:
        assert not is_valid(TOO_LARGE[name])
    assert megabytes() < 150
    assert not is_passed_on(TOO_LARGE[name])
    assert rejection(TOO_LARGE[name]) is not None


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_image_is_passed_on(name):
    assert SIDE * SIDE <= MAX_PIXELS < SIDE * (SIDE + 1)
    assert is_passed_on(LARGEST[name])
    assert rejection(LARGEST[name]) is not Reason.TOO_LARGE, (
        "broken only where its rows are missing"
    )


REFUSED = {
    "BMP without columns": bmp(8, 0),
    "BMP without rows": bmp(0, 8),
    "BMP with less than nothing": bmp(8, -8, pixels=192),
    "BMP with the least height": bmp(-(2**31), 8),
    "PNG cut in its header": png(8, 8, 8)[:20],
    "JPEG cut in its header": jpeg(8, 8)[:30],
    "GIF without a frame": gif((8, 8)),
    "GIF cut in its frame's header": gif((1, 1), (0, 0, 1, 1))[:24],
    "WebP": b"RIFF\x24\0\0\0WEBPVP8 ",
    "two bytes": b"BM",
    "nothing": b"",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_for_one_is_none_for_the_other(name):
    assert not is_valid(REFUSED[name])
    assert rejection(REFUSED[name]) is not None


@pytest.mark.parametrize(
    "content",
    [
        os2_bmp(),
        bmp(8, 8, pixels=192) + b"\0\0",
        encode(pixels()[..., 0], "BMP"),
        b"RIFF\x24\0\0\0WEBPVP8 ",
    ],
)
def test_what_the_decoder_would_take_for_something_else_is_refused_by_the_graph(content):
    assert not is_valid(content)


def animation(count: int, **options: object) -> bytes:
    frames = [Image.fromarray(pixels(200, 300, seed)) for seed in range(count)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("comment", [b"", b"x" * 1000])
def test_of_an_animation_only_the_first_frame_is_passed_on(comment):
    content = animation(5, comment=comment, loop=0)
    bounded = bound_image(tf.constant(content)).numpy()
    assert len(bounded) < len(content) / 4
    assert Image.open(io.BytesIO(bounded)).n_frames == 1
    every_frame = tf.io.decode_gif(content)[0]
    np.testing.assert_array_equal(tf.io.decode_gif(bounded)[0], every_frame)


def test_many_frames_take_the_memory_of_one():
    one = encode(np.zeros((2000, 2000), np.uint8), "GIF")
    frame = one[one.index(b",\0\0\0\0") : -1]
    with peak_growth() as megabytes:
        assert is_valid(one[:-1] + frame * 300 + b";")
    assert megabytes() < 400


@settings(max_examples=150, deadline=None)
@given(
    image_format=st.sampled_from(["PNG", "JPEG", "GIF", "BMP"]),
    place=st.floats(0, 1, exclude_max=True),
    flip=st.integers(1, 255),
)
@example(image_format="GIF", place=0.8, flip=2)  # Another length of the colour table.
@example(image_format="JPEG", place=0.9999, flip=2)  # The end that Pillow does not miss.
def test_what_the_ingest_accepts_the_graph_decodes(image_format, place, flip):
    content = bytearray(encode(pixels(9, 9), image_format))
    # Pillow and giflib forgive different faults in a GIF's compressed pixels.
    length = 13 if image_format == "GIF" else len(content)
    content[int(place * length)] ^= flip
    if rejection(bytes(content)) is None:
        assert is_valid(convert(bytes(content)))
