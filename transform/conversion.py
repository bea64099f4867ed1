"""Brings an image of any format that Pillow reads into one that the served graph decodes alike.

Ingest and client call the same function, so that a photograph is seen in training as it is when
somebody asks about it. It needs no TensorFlow.
"""

import io
import struct
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from darkroom.transform.decoding import (
    JPEG_END,
    JPEGS,
    has_alpha,
    has_jpeg_end,
    read_header,
    rejecting,
)
from darkroom.transform.rejection import Reason, RejectedError

_ORIENTATION: Final = 0x0112
_EXIF: Final = b"Exif\0\0"
_PNG_EXIF: Final = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
_JPEG_START: Final = b"\xff\xd8"


def convert(content: bytes, read_truncated: bool = False) -> bytes:
    """An image as the served graph decodes it rightly.

    A JPEG or PNG stays as it is, but for a few bytes in front of a JPEG that say how to turn it
    where others say so at a place, or in a way, that the graph does not read. All else becomes a
    PNG, turned upright: with its transparency, and 16-bit greys with all their bits.

    Args:
        content: The encoded image.
        read_truncated: Whether a JPEG without an end gets one; what is missing of it is grey.

    Raises:
        RejectedError: It is no image, in a format that is not read, or too large; or, where it
            becomes a PNG, corrupt. The pixels of others are not looked at.
    """
    image = read_header(content)
    with rejecting():
        if image.format in JPEGS:
            return _say_orientation(_end(content) if read_truncated else content, image)
        if image.format == "PNG" and not _is_turned(image, content):
            return content
        return _encode(ImageOps.exif_transpose(image), str(image.format))


def _end(content: bytes) -> bytes:
    return content if has_jpeg_end(content) else content + JPEG_END


def _say_orientation(content: bytes, image: Image.Image) -> bytes:
    orientation = _read_orientation(image)
    if orientation == 1 or (orientation is None and _EXIF not in content):
        return content
    # The graph looks for EXIF in the first segments alone, and takes the first that it finds.
    value = orientation if orientation in range(1, 9) else 1
    tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, _ORIENTATION, 3, 1, value, 0, 0)
    segment = struct.pack(">2sH", b"\xff\xe1", 2 + len(_EXIF + tiff)) + _EXIF + tiff
    start = _JPEG_START + segment
    return content if content.startswith(start) else start + content[len(_JPEG_START) :]


def _read_orientation(image: Image.Image) -> object:
    """What Pillow finds in EXIF, else in XMP; None for nothing."""
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # Pillow's parsers raise of any kind where EXIF is broken
        return 0


def _is_turned(image: Image.Image, content: bytes) -> bool:
    # Pillow decodes the pixels too before it looks for EXIF behind them.
    has_exif = any(name in content for name in _PNG_EXIF)
    return has_exif and _read_orientation(image) in range(2, 9)


def _encode(image: Image.Image, name: str) -> bytes:
    converted = _to_png_mode(image, name)
    converted.info.clear()
    buffer = io.BytesIO()
    converted.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _to_png_mode(image: Image.Image, name: str) -> Image.Image:
    if image.mode.startswith("I"):
        return _to_sixteen_bits(image, name)
    if image.mode == "F":
        raise _too_deep(name)
    if image.mode in ("RGBa", "La"):
        image = image.convert(image.mode.upper())
    if has_alpha(image):
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _to_sixteen_bits(image: Image.Image, name: str) -> Image.Image:
    grey = np.asarray(image)
    if grey.min() < 0 or grey.max() > np.iinfo(np.uint16).max:
        raise _too_deep(name)
    return Image.fromarray(grey.astype(np.uint16))


def _too_deep(name: str) -> RejectedError:
    return RejectedError(
        Reason.UNSUPPORTED_FORMAT,
        f"{name} with more than 16 bits a value; convert it to 8 or 16 bits",
    )
