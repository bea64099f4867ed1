"""Decodes an image once, to prove that it can be and to describe it.

Descriptors are those of the image as stored: its EXIF orientation is not applied, which changes
none but `height` and `width`. Grey levels are ITU-R 601 luma, 0 to 255; transparency is ignored;
of an animation the first frame counts.
"""

import io
import struct
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from darkroom.components.image_example_gen.rejection import Reason, RowRejectedError
from darkroom.transform.features import BYTES, CHANNELS, HEIGHT, MEAN, SHARPNESS, STDDEV, WIDTH
from darkroom.transform.limits import BMP_HEADER_BYTES, MAX_PIXELS, MAX_PNG_TEXTS, PNG_TEXT

DECODABLE: Final = frozenset(("JPEG", "MPO", "PNG", "GIF", "BMP"))
"""What TensorFlow decodes, in Pillow's names. MPO is the JPEG of some phones' cameras."""

Descriptors = dict[str, int | float]

_BMP_DEPTHS: Final = (8, 24, 32)
_HEIF_BRANDS: Final = frozenset((b"heic", b"heix", b"hevc", b"mif1", b"msf1"))
_CHANNELS_BY_MODE: Final = {"P": 3, "PA": 4}
_PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"
_GIF_IMAGE: Final = ord(",")
_GIF_EXTENSION: Final = ord("!")
_JPEG_SCAN: Final = b"\xff\xda"
_JPEG_END: Final = b"\xff\xd9"
_STRIP_ROWS: Final = 256


def describe(content: bytes) -> Descriptors:
    """The descriptors of an encoded image, which is decoded in full.

    Args:
        content: The encoded image.

    Returns:
        int: height, width (pixels), channels (palettes expanded: 1 grey, 2 with transparency,
        3 colour, 4 with transparency or CMYK), bytes. float: mean and stddev of the grey levels;
        sharpness, see `laplacian_variance`.

    Raises:
        RowRejectedError: It is no image, not in a format of TensorFlow's, corrupt or too large.
    """
    image = _decode(content)
    grey = _grey(image)
    mean, stddev = _moments(grey)
    return {
        HEIGHT: image.height,
        WIDTH: image.width,
        CHANNELS: _channels(image),
        BYTES: len(content),
        MEAN: mean,
        STDDEV: stddev,
        SHARPNESS: laplacian_variance(np.asarray(grey)),
    }


def laplacian_variance(grey: npt.NDArray[np.uint8]) -> float:
    """Variance of the Laplacian: near 0 for blurred or empty images, thousands for sharp ones.

    The response is `up + down + left + right - 4 * centre` at each pixel that has four
    neighbours (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000).

    Args:
        grey: uint8 [height, width], grey levels.

    Returns:
        Grey levels squared; 0 when a side is shorter than 3 pixels.
    """
    height, width = grey.shape
    if height < 3 or width < 3:
        return 0.0
    total = squares = 0
    # In strips, and exact in integers: memory stays small, and the order of adding is no matter.
    for top in range(0, height - 2, _STRIP_ROWS):
        response = _laplacian(grey[top : top + _STRIP_ROWS + 2].astype(np.int16))
        total += int(response.sum(dtype=np.int64))
        squares += int(np.square(response, dtype=np.int32).sum(dtype=np.int64))
    count = (height - 2) * (width - 2)
    return (squares - total * total / count) / count


def _laplacian(grey: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    neighbours = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return neighbours - 4 * grey[1:-1, 1:-1]


def _decode(content: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content))
        _check_header(image, content)
        if image.format == "PNG":
            _check_png(image, content)
            image = Image.open(io.BytesIO(content))
        image.load()
        _check_end(image, content)
    except (RowRejectedError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise _unidentified(content) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RowRejectedError(Reason.TOO_LARGE, f"more than {MAX_PIXELS} pixels") from None
    except Exception as error:  # Pillow's decoders raise of any kind on corrupt input
        raise RowRejectedError(Reason.NOT_AN_IMAGE, f"{type(error).__name__}: {error}") from None
    return image


def _check_header(image: Image.Image, content: bytes) -> None:
    if image.format not in DECODABLE:
        raise _unsupported(str(image.format))
    if image.format == "BMP":
        _check_bmp(content)
    if image.format == "GIF" and content[_find_gif_image(content)] != _GIF_IMAGE:
        raise RowRejectedError(Reason.NOT_AN_IMAGE, "the GIF has no frame where one must be")
    if image.width * image.height > MAX_PIXELS:
        raise RowRejectedError(
            Reason.TOO_LARGE, f"{image.width}x{image.height}, the limit is {MAX_PIXELS} pixels"
        )


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


def _check_end(image: Image.Image, content: bytes) -> None:
    """What Pillow does not look at once it has all pixels, and TensorFlow does."""
    if image.format == "BMP":
        _check_bmp_length(image, content)
    if image.format in ("JPEG", "MPO") and content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN):
        raise RowRejectedError(Reason.NOT_AN_IMAGE, "the JPEG has no end")


def _check_bmp_length(image: Image.Image, content: bytes) -> None:
    # TensorFlow knows no compression, and wants no byte behind the last row.
    start, depth = struct.unpack_from("<I14xH", content, 10)
    row = (image.width * depth // 8 + 3) // 4 * 4
    if start + row * image.height != len(content):
        raise _unsupported("BMP that is compressed, or has more behind its rows")


def _check_png(image: Image.Image, content: bytes) -> None:
    if content[12:16] != b"IHDR":
        raise RowRejectedError(Reason.NOT_AN_IMAGE, "the PNG does not begin with its header")
    if content.count(PNG_TEXT) > MAX_PNG_TEXTS:
        raise RowRejectedError(
            Reason.TOO_LARGE, f"more than {MAX_PNG_TEXTS} compressed or international texts"
        )
    # Pillow decodes PNGs whose checksums are wrong or whose end is missing; TensorFlow refuses
    # them. verify() compares the checksums, but not the end's, and leaves the image unusable.
    image.verify()
    if _PNG_END not in content:
        raise RowRejectedError(Reason.NOT_AN_IMAGE, "the PNG has no end")


def _unidentified(content: bytes) -> RowRejectedError:
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
        return _unsupported("HEIC")
    return RowRejectedError(Reason.NOT_AN_IMAGE, "no known image format")


def _unsupported(name: str) -> RowRejectedError:
    return RowRejectedError(
        Reason.UNSUPPORTED_FORMAT, f"{name}; convert it to JPEG, PNG, GIF or BMP"
    )


def _channels(image: Image.Image) -> int:
    if image.mode == "P" and "transparency" in image.info:
        return 4
    return _CHANNELS_BY_MODE.get(image.mode, len(image.getbands()))


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel, of which TensorFlow keeps the upper 8
        return Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    return image.convert("L")


def _moments(grey: Image.Image) -> tuple[float, float]:
    counts = np.asarray(grey.histogram(), np.float64)
    levels = np.arange(256)
    mean = float(np.average(levels, weights=counts))
    return mean, float(np.sqrt(np.average((levels - mean) ** 2, weights=counts)))
