"""What statistics see of an image: a few numbers, from its encoded bytes alone.

Descriptors are those of the image as stored: its EXIF orientation is not applied, which changes
none but `height` and `width`. Grey levels are ITU-R 601 luma, 0 to 255, of transparent images on
white. The grey levels of a large JPEG are those of a reduced one
(`darkroom.transform.decoding.decode`): their spread and sharpness are compared over cameras.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from darkroom.transform.decoding import decode, has_alpha
from darkroom.transform.features import BYTES, CHANNELS, HEIGHT, MEAN, SHARPNESS, STDDEV, WIDTH

Descriptors = dict[str, int | float]

_STRIP_ROWS: Final = 256


def describe(content: bytes) -> Descriptors:
    """The descriptors of an encoded image, all of which is decoded.

    Args:
        content: The encoded image, as `darkroom.transform.conversion` leaves it.

    Returns:
        int: height, width (pixels), channels (palettes expanded: 1 grey, 2 with transparency,
        3 colour, 4 with transparency or CMYK), bytes. float: mean and stddev of the grey levels;
        sharpness, see `laplacian_variance`.

    Raises:
        RejectedError: It is no image, corrupt or too large.
    """
    decoded = decode(content)
    grey = _grey(decoded.image)
    mean, stddev = _moments(grey)
    return {
        HEIGHT: decoded.height,
        WIDTH: decoded.width,
        CHANNELS: decoded.channels,
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


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel, of which TensorFlow keeps the upper 8
        return Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if has_alpha(image):
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.convert("RGBA").getchannel("A"))
        return page.convert("L")
    return image.convert("L")


def _moments(grey: Image.Image) -> tuple[float, float]:
    counts = np.asarray(grey.histogram(), np.float64)
    levels = np.arange(256)
    mean = float(np.average(levels, weights=counts))
    return mean, float(np.sqrt(np.average((levels - mean) ** 2, weights=counts)))
