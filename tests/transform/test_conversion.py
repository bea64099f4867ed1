"""What ingest and client make of images of every format: what the graph decodes as Pillow does."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from darkroom.tests.images import encode, encode_with_orientation, picture, pixels, save
from darkroom.transform.conversion import convert
from darkroom.transform.decoding import DECODABLE
from darkroom.transform.descriptors import describe
from darkroom.transform.images import decode_image
from darkroom.transform.rejection import Reason, RejectedError

RGBA = Image.fromarray(np.dstack([pixels(6, 8), np.arange(48, dtype=np.uint8).reshape(6, 8) * 5]))
TURNED = Image.Exif()
TURNED[0x0112] = 6
JPEG_ROUNDING = 12
"""Grey levels that two decoders of small, colourful JPEGs differ by."""
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def on_white(content: bytes) -> np.ndarray:
    """What an image shows by Pillow, turned upright: uint8 [h, w, 3]."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    page = Image.new("RGB", image.size, "white")
    alpha = image.convert("RGBA")
    page.paste(alpha.convert("RGB"), mask=alpha.getchannel("A"))
    return np.asarray(page)


def decode(content: bytes) -> np.ndarray:
    """What the graph makes of an image at its own size: uint8 [h, w, 3]."""
    height, width = on_white(content).shape[:2]
    return decode_image(tf.constant(content), height, width, "stretch").numpy()


def rle_bmp() -> bytes:
    """A bitmap of 8 bits a pixel whose rows are compressed."""
    rows = b"".join(bytes([8, index, 0, 0]) for index in range(6)) + b"\0\1"
    palette = bytes(range(255, -1, -1)) * 4
    header = struct.pack("<IiiHHIIiiII", 40, 8, 6, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return (
        b"BM"
        + struct.pack("<IHHI", 54 + 1024 + len(rows), 0, 0, 54 + 1024)
        + header
        + (palette + rows)
    )


def os2_bmp() -> bytes:
    values = pixels(8, 8, seed=3).tobytes()
    return b"BM" + struct.pack("<IHHIIHHHH", 26 + len(values), 0, 0, 26, 12, 8, 8, 1, 24) + values


def late_exif() -> bytes:
    """A JPEG with three full segments in front of its EXIF."""
    content = encode_with_orientation(pixels(8, 12), 6)
    at = content.index(b"\xff\xe1")
    return content[:at] + (b"\xff\xe2\xff\xff" + bytes(65533)) * 3 + content[at:]


IMAGES = {
    "grey PNG": save(picture("L"), "PNG"),
    "1-bit PNG": save(picture("1"), "PNG"),
    "palette PNG": save(picture("P"), "PNG"),
    "PNG with alpha": save(RGBA, "PNG"),
    "grey PNG with alpha": save(RGBA.convert("LA"), "PNG"),
    "palette PNG with a transparent colour": save(picture("P"), "PNG", transparency=3),
    "PNG with a transparent colour": save(picture("RGB"), "PNG", transparency=(0, 0, 0)),
    "PNG with eXIf": save(picture("RGB"), "PNG", exif=TURNED),
    "PNG with alpha and eXIf": save(RGBA, "PNG", exif=TURNED),
    "grey JPEG": save(picture("L"), "JPEG"),
    "JPEG with late EXIF": late_exif(),
    "JPEG turned by XMP": save(picture("RGB"), "JPEG", xmp=XMP),
    "GIF": save(picture("P"), "GIF"),
    "transparent GIF": save(RGBA, "GIF"),
    "BMP": save(picture("RGB"), "BMP"),
    "grey BMP": save(picture("L"), "BMP"),
    "1-bit BMP": save(picture("1"), "BMP"),
    "palette BMP": save(picture("P"), "BMP"),
    "compressed BMP": rle_bmp(),
    "BMP of OS/2": os2_bmp(),
    "BMP with more behind its rows": save(picture("RGB"), "BMP") + b"\0\0",
    "WebP": save(picture("RGB"), "WEBP"),
    "WebP with alpha": save(RGBA, "WEBP", lossless=True),
    "TIFF": save(picture("RGB"), "TIFF"),
    "TIFF, turned": save(picture("RGB"), "TIFF", exif=TURNED),
    "CMYK TIFF": save(picture("CMYK"), "TIFF"),
    "AVIF": save(picture("RGB"), "AVIF"),
    "JPEG 2000": save(picture("RGB"), "JPEG2000"),
    "PPM": save(picture("RGB"), "PPM"),
    "PGM": save(picture("L"), "PPM"),
    "TGA": save(picture("RGB"), "TGA"),
    "TGA with alpha": save(RGBA, "TGA"),
    "ICO": save(Image.fromarray(pixels(16, 16)), "ICO"),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_the_graph_sees_what_pillow_sees(name):
    stored = IMAGES[name]
    content = convert(stored)
    assert Image.open(io.BytesIO(content)).format in DECODABLE
    expected = on_white(stored).astype(int)
    tolerance = JPEG_ROUNDING if "JPEG" in name and name != "JPEG 2000" else 0
    assert np.abs(decode(content) - expected).max() <= tolerance
    assert convert(content) == content
    found = describe(content)
    assert found["bytes"] == len(content)
    grey = np.asarray(Image.fromarray(expected.astype(np.uint8)).convert("L"))
    assert found["mean"] == pytest.approx(grey.mean(), abs=1)


@pytest.mark.parametrize("image", [picture("RGB"), picture("L"), RGBA, picture("P")])
@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_what_is_plain_stays_as_it_is(image, image_format):
    image = image.convert("RGB") if image_format == "JPEG" else image
    content = save(image, image_format)
    assert convert(content) == content


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_every_orientation_is_that_of_pillow(orientation, image_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = encode(pixels(8, 12), image_format, exif=exif)
    assert np.abs(decode(convert(stored)).astype(int) - on_white(stored)).max() <= JPEG_ROUNDING


@settings(max_examples=60, deadline=None)
@given(start=st.integers(0, 30), noise=st.binary(min_size=1, max_size=8))
def test_a_broken_exif_turns_no_image_that_pillow_leaves(start, noise):
    stored = bytearray(encode_with_orientation(pixels(8, 12), 6))
    at = stored.index(b"Exif\0\0") + 6 + start
    stored[at : at + len(noise)] = noise
    try:
        expected = on_white(bytes(stored))
    except Exception:
        return
    try:
        content = convert(bytes(stored))
    except RejectedError:
        return
    height, width = expected.shape[:2]
    image = decode_image(tf.constant(content), height, width, "stretch").numpy().astype(int)
    assert np.abs(image - expected).max() <= JPEG_ROUNDING


def test_sixteen_bit_greys_keep_their_bits():
    wide = np.arange(48, dtype=np.uint16).reshape(6, 8) * 80
    for image_format in ("PNG", "TIFF", "PPM"):
        content = convert(encode(wide, image_format))
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), wide)


def test_a_jpeg_without_an_end_is_read_by_option_alone():
    whole = encode(pixels(64, 64), "JPEG")
    for cut in (whole[:-2], whole[: len(whole) * 3 // 4]):
        with pytest.raises(RejectedError):
            describe(convert(cut))
        content = convert(cut, read_truncated=True)
        assert describe(content)["height"] == 64
        top = decode(content)[:16].astype(int)
        assert np.abs(top - on_white(whole)[:16]).mean() < 3
    assert convert(whole, read_truncated=True) == whole


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\x0a\0\0", "JPEG XL; convert it to JPEG or PNG"),
        (b"%PDF-1.7 ", "PDF; convert"),
        (b'<?xml version="1.0"?>\n<svg ', "SVG; convert"),
        (b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 4, 4, 8, 3) + bytes(40), "PSD; convert"),
        (save(picture("F"), "TIFF"), "TIFF with more than 16 bits a value"),
        (b"\0\0\0\x18ftypheic" + bytes(8), "HEIC"),
    ],
)
def test_what_is_not_read_is_named(content, words):
    with pytest.raises(RejectedError) as caught:
        convert(content)
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT
    assert words in caught.value.detail


def test_heic_is_read_where_its_library_is():
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    stored = save(Image.fromarray(pixels(64, 64)), "HEIF")
    np.testing.assert_array_equal(decode(convert(stored)), on_white(stored))


@pytest.mark.parametrize("name", ["GIF", "compressed BMP", "WebP", "TIFF", "JPEG 2000", "AVIF"])
def test_a_truncated_image_is_refused_or_whole(name):
    stored = IMAGES[name]
    for end in range(8, len(stored), 7):
        try:
            content = convert(stored[:end])
        except RejectedError:
            continue
        assert decode(content).shape == on_white(stored).shape


def test_bytes_of_a_strange_png_chunk_do_no_harm():
    stored = save(picture("RGB"), "PNG")
    at = stored.index(b"IDAT") - 4
    body = b"teSteXIf tRNS"
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    odd = stored[:at] + chunk + stored[at:]
    assert convert(odd) == odd
    np.testing.assert_array_equal(decode(odd), on_white(stored))
