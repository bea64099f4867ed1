"""Opens and decodes encoded images by Pillow alone, and refuses what TensorFlow does not decode.

So whoever looks at an image before the model does, be it ingest, client or gateway, gives the
answer of the served graph (`darkroom.transform.bounds`), with a reason, and needs no TensorFlow.
"""

import contextlib
import io
import math
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from PIL import Image, UnidentifiedImageError

from darkroom.transform.limits import BMP_HEADER_BYTES, MAX_PIXELS, MAX_PNG_TEXTS, PNG_TEXT
from darkroom.transform.rejection import Reason, RejectedError

DECODABLE: Final = frozenset(("JPEG", "MPO", "PNG", "GIF", "BMP"))
"""What TensorFlow decodes, in Pillow's names. MPO is the JPEG of some phones' cameras."""

REDUCED_SIDE: Final = 512
"""Pixels that the shorter side of a reduced JPEG has at least."""

_CHANNELS_BY_MODE: Final = {"P": 3, "PA": 4}
_BMP_DEPTHS: Final = (8, 24, 32)
_HEIF_BRANDS: Final = frozenset((b"heic", b"heix", b"hevc", b"mif1", b"msf1"))
_PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"
_GIF_IMAGE: Final = ord(",")
_GIF_EXTENSION: Final = ord("!")
_JPEG_SCAN: Final = b"\xff\xda"
_JPEG_END: Final = b"\xff\xd9"


def open_image(content: bytes) -> Image.Image:
    """Reads an image's header, which says its format and size; its pixels are not looked at.

    Args:
        content: The encoded image.

    Raises:
        RejectedError: It is no image, not in a format of TensorFlow's, or too large.
    """
    with _rejecting(content):
        image = Image.open(io.BytesIO(content))
        _check_header(image, content)
        return image


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
        content: The encoded image.

    Raises:
        RejectedError: As `open_image`, or it is corrupt.
    """
    image = open_image(content)
    (width, height), channels = image.size, _count_channels(image)
    with _rejecting(content):
        if image.format == "PNG":
            _check_png_end(image, content)
            image = Image.open(io.BytesIO(content))
        part = min(1.0, REDUCED_SIDE / min(width, height))
        image.draft("L", (math.ceil(part * width), math.ceil(part * height)))
        image.load()
        _check_end(image, content)
    return Decoded(image, width, height, channels)


def _count_channels(image: Image.Image) -> int:
    if image.mode == "P" and "transparency" in image.info:
        return 4
    return _CHANNELS_BY_MODE.get(image.mode, len(image.getbands()))


@contextlib.contextmanager
def _rejecting(content: bytes) -> Iterator[None]:
    try:
        yield
    except (RejectedError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise _unidentified(content) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RejectedError(Reason.TOO_LARGE, f"more than {MAX_PIXELS} pixels") from None
    except Exception as error:  # Pillow's decoders raise of any kind on corrupt input
        raise RejectedError(Reason.NOT_AN_IMAGE, f"{type(error).__name__}: {error}") from None


def _check_header(image: Image.Image, content: bytes) -> None:
    if image.format not in DECODABLE:
        raise _unsupported(str(image.format))
    if image.format == "BMP":
        _check_bmp(content)
    if image.format == "GIF" and content[_find_gif_image(content)] != _GIF_IMAGE:
        raise RejectedError(Reason.NOT_AN_IMAGE, "the GIF has no frame where one must be")
    if image.width * image.height > MAX_PIXELS:
        raise RejectedError(
            Reason.TOO_LARGE, f"{image.width}x{image.height}, the limit is {MAX_PIXELS} pixels"
        )
    if image.format == "PNG":
        _check_png(content)


def _check_bmp(content: bytes) -> None:
    (header,) = struct.unpack_from("<I", content, 14)
    if header < BMP_HEADER_BYTES:
        raise _unsupported("BMP of OS/2")
    (depth,) = struct.unpack_from("<H", content, 28)
    if depth not in _BMP_DEPTHS:
        raise _unsupported(f"BMP with {depth} bits a pixel")


def _find_gif_image(content: bytes) -> int:
    """Where the first frame begins; Pillow looks on where it does not, TensorFlow gives up."""
    flags, position = content[10], 13
    if flags & 0x80:
        position += 3 * 2 ** (flags % 8 + 1)
    while content[position] == _GIF_EXTENSION:
        position += 2
        while content[position]:
            position += 1 + content[position]
        position += 1
    return position


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


def _check_end(image: Image.Image, content: bytes) -> None:
    """What Pillow does not look at once it has all pixels, and TensorFlow does."""
    if image.format == "BMP":
        _check_bmp_length(image, content)
    if image.format in ("JPEG", "MPO") and content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN):
        raise RejectedError(Reason.NOT_AN_IMAGE, "the JPEG has no end")


def _check_bmp_length(image: Image.Image, content: bytes) -> None:
    # TensorFlow knows no compression, and wants no byte behind the last row.
    start, depth = struct.unpack_from("<I14xH", content, 10)
    row = (image.width * depth // 8 + 3) // 4 * 4
    if start + row * image.height != len(content):
        raise _unsupported("BMP that is compressed, or has more behind its rows")


def _unidentified(content: bytes) -> RejectedError:
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
        return _unsupported("HEIC")
    return RejectedError(Reason.NOT_AN_IMAGE, "no known image format")


def _unsupported(name: str) -> RejectedError:
    return RejectedError(Reason.UNSUPPORTED_FORMAT, f"{name}; convert it to JPEG, PNG, GIF or BMP")
