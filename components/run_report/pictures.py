"""Small pictures as `data:` URIs."""

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageFile, ImageOps

LARGEST = 176
"""Longest side of a thumbnail in pixels."""
LOSSLESS = 64
"""Longest side up to which a thumbnail is a PNG, so that every pixel can be seen."""
RIGHT, WRONG = (46, 125, 90), (200, 60, 45)
"""Colours of a full cell on and off the diagonal, RGB."""


@dataclass(frozen=True)
class Thumbnail:
    """A `data:` URI, and the width in pixels."""

    uri: str
    width: int


def make_thumbnail(encoded: bytes, partly: bool = False) -> Thumbnail | None:
    """Shrink an encoded image, upright as its EXIF data say; None for one Pillow cannot read.

    Args:
        encoded: The image.
        partly: Whether the readable part of a truncated one will do.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as opened, _truncated(partly):
            opened.draft("RGB", (LARGEST, LARGEST))
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except Exception:
        # Pillow raises many kinds of error on broken files, and none of them may stop a report.
        return None
    image.thumbnail((LARGEST, LARGEST))
    lossless = max(image.size) <= LOSSLESS
    return Thumbnail(_encode(image, "PNG" if lossless else "JPEG"), image.width)


@contextmanager
def _truncated(allowed: bool) -> Iterator[None]:
    """Pillow has no other place than the module to ask for it."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = allowed
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def grid_picture(rows: Sequence[Sequence[tuple[int, bool]]]) -> str:
    """Draw a matrix, a pixel a cell, as a transparent PNG.

    Args:
        rows: Strength 0 to 100 of each cell, and whether it stands for right answers.

    Returns:
        A `data:` URI.
    """
    image = Image.new("RGBA", (len(rows[0]), len(rows)))
    image.putdata([_colour(*cell) for row in rows for cell in row])
    return _encode(image, "PNG")


def _colour(strength: int, right: bool) -> tuple[int, int, int, int]:
    """Even a rare confusion is to be seen, so that colour begins well above nothing."""
    red, green, blue = RIGHT if right else WRONG
    return red, green, blue, min(255, 60 + 4 * strength) if strength else 0


def _encode(image: Image.Image, image_format: str) -> str:
    buffer = io.BytesIO()
    image.save(
        buffer, image_format, optimize=True, **({"quality": 80} if image_format == "JPEG" else {})
    )
    text = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{image_format.lower()};base64,{text}"
