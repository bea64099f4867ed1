"""Opens and decodes encoded images by Pillow alone, and refuses what TensorFlow does not decode.

So whoever looks at an image before the model does, be it ingest or client, gives the answer of the
served graph (`darkroom.transform.bounds`), with a reason, and needs no TensorFlow.
"""

import contextlib
import functools
import importlib
import io
import math
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from PIL import Image, UnidentifiedImageError

from darkroom.transform.limits import MAX_PIXELS, MAX_PNG_TEXTS, PNG_TEXT
from darkroom.transform.rejection import Reason, RejectedError

JPEGS: Final = frozenset(("JPEG", "MPO"))
"""In Pillow's names. MPO is the JPEG of some phones' cameras."""
DECODABLE: Final = JPEGS | {"PNG"}
"""What the served graph decodes as Pillow does; of GIF and BMP it decodes some so, and not all."""
READABLE: Final = DECODABLE | {
    "GIF", "BMP", "DIB", "WEBP", "TIFF", "AVIF", "HEIF", "JPEG2000", "PPM", "TGA", "ICO",
}  # fmt: skip
"""What `darkroom.transform.conversion` makes a PNG of, and what need not be."""

JPEG_END: Final = b"\xff\xd9"
REDUCED_SIDE: Final = 512
"""Pixels that the shorter side of a reduced JPEG has at least."""

_CHANNELS_BY_MODE: Final = {"P": 3, "PA": 4}
_HEIC: Final = "HEIC"
_STRANGERS: Final = {
    re.compile(rb"....ftyp(hei[cxms]|hev[cx]|mi[af]1|msf1)", re.DOTALL): _HEIC,
    re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "): "JPEG XL",
    re.compile(rb"%PDF"): "PDF",
    re.compile(rb"\s*(<\?xml.*?)?<svg", re.DOTALL): "SVG",
}
"""What Pillow does not know by itself, by how it begins."""
_PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"
_JPEG_SCAN: Final = b"\xff\xda"


def read_header(content: bytes) -> Image.Image:
    """Reads an image's header, which says its format and size; its pixels are not looked at.

    Args:
        content: The encoded image.

    Raises:
        RejectedError: It is no image, not in a format of READABLE, or too large.
    """
    with rejecting():
        image = _open(content)
        if image.format not in READABLE:
            raise _unsupported(str(image.format))
        if image.width * image.height > MAX_PIXELS:
            raise RejectedError(
                Reason.TOO_LARGE, f"{image.width}x{image.height}, the limit is {MAX_PIXELS} pixels"
            )
        if image.format == "PNG":
            _check_png(content)
        return image


def _open(content: bytes) -> Image.Image:
    name = next((name for start, name in _STRANGERS.items() if start.match(content)), "")
    if name == _HEIC:
        _add_heif()
    try:
        return Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        if not name:
            raise
        remedy = "pip install 'darkroom[heic]', or " if name == _HEIC else ""
        raise _unsupported(name, remedy) from None


@functools.cache
def _add_heif() -> None:
    """Teaches Pillow HEIC, where the library for it is installed."""
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()


def _unsupported(name: str, remedy: str = "") -> RejectedError:
    return RejectedError(Reason.UNSUPPORTED_FORMAT, f"{name}; {remedy}convert it to JPEG or PNG")


def has_alpha(image: Image.Image) -> bool:
    """Whether an image says how transparent its pixels are."""
    return "A" in image.getbands() or "transparency" in image.info


class Decoded(NamedTuple):
    """A decoded image.

    Attributes:
        image: Its pixels in memory; a JPEG's may be grey levels alone, and fewer than it has.
        width: As stored, in pixels.
        height: Likewise.
        channels: As stored, palettes expanded.
    """

    image: Image.Image
    width: int
    height: int
    channels: int


def decode(content: bytes) -> Decoded:
    """Decodes all that a file holds of an image, as stored; of an animation the first frame.

    Of a JPEG come the grey levels, of a half, a quarter or an eighth of its size as long as the
    shorter side keeps REDUCED_SIDE pixels. That takes a fraction of the time, and libjpeg looks at
    every bit all the same.

    Args:
        content: The encoded image, in a format of DECODABLE.

    Raises:
        RejectedError: As `read_header`, or it is corrupt.
    """
    image = read_header(content)
    (width, height), channels = image.size, _count_channels(image)
    with rejecting():
        if image.format in JPEGS and not has_jpeg_end(content):
            raise RejectedError(
                Reason.NOT_AN_IMAGE, "the JPEG has no end; data.read_truncated: true takes it"
            )
        if image.format == "PNG":
            _check_png_end(image, content)
            image = Image.open(io.BytesIO(content))
        part = min(1.0, REDUCED_SIDE / min(width, height))
        image.draft("L", (math.ceil(part * width), math.ceil(part * height)))
        image.load()
    return Decoded(image, width, height, channels)


def has_wide_grey(content: bytes) -> bool:
    """Whether an image is a PNG of greys of 16 bits (PNG specification, 11.2.2)."""
    return content[12:16] == b"IHDR" and content[24:26] == b"\x10\0"


def _count_channels(image: Image.Image) -> int:
    if image.mode == "P" and "transparency" in image.info:
        return 4
    return _CHANNELS_BY_MODE.get(image.mode, len(image.getbands()))


@contextlib.contextmanager
def rejecting() -> Iterator[None]:
    """Turns whatever Pillow raises about an image into RejectedError."""
    try:
        yield
    except (RejectedError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise RejectedError(Reason.NOT_AN_IMAGE, "no known image format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RejectedError(Reason.TOO_LARGE, f"more than {MAX_PIXELS} pixels") from None
    except Exception as error:  # Pillow's decoders raise of any kind on corrupt input
        raise RejectedError(Reason.NOT_AN_IMAGE, f"{type(error).__name__}: {error}") from None


def _check_png(content: bytes) -> None:
    if content[12:16] != b"IHDR":
        raise RejectedError(Reason.NOT_AN_IMAGE, "the PNG does not begin with its header")
    if content.count(PNG_TEXT) > MAX_PNG_TEXTS:
        raise RejectedError(
            Reason.TOO_LARGE, f"more than {MAX_PNG_TEXTS} compressed or international texts"
        )


def _check_png_end(image: Image.Image, content: bytes) -> None:
    # Pillow decodes PNGs whose checksums are wrong or whose end is missing; TensorFlow refuses
    # them. verify() compares the checksums, but not the end's, and leaves the image unusable.
    image.verify()
    if _PNG_END not in content:
        raise RejectedError(Reason.NOT_AN_IMAGE, "the PNG has no end")


def has_jpeg_end(content: bytes) -> bool:
    """Whether a JPEG is whole: Pillow does not ask once it has all pixels, and TensorFlow does."""
    return content.rfind(JPEG_END) > content.rfind(_JPEG_SCAN)
