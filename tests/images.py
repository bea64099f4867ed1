"""Encoded images for tests, made by Pillow."""

import io

import numpy as np
from PIL import Image


def pixels(height: int = 20, width: int = 30, seed: int = 0) -> np.ndarray:
    """A smooth random picture: uint8 [height, width, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encode(image: np.ndarray, image_format: str = "PNG", **options: object) -> bytes:
    """Encodes uint8 [h, w] or [h, w, 3]."""
    return save(Image.fromarray(image), image_format, **options)


def save(image: Image.Image, image_format: str, **options: object) -> bytes:
    """Encodes an image of any of Pillow's modes."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def picture(mode: str) -> Image.Image:
    """A small picture in one of Pillow's modes."""
    return Image.fromarray(pixels(6, 8)).convert(mode)


def encode_with_orientation(image: np.ndarray, orientation: int, endian: str = "<") -> bytes:
    """A JPEG whose EXIF data say how to turn it."""
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F] = "a maker"
    exif[0x0112] = orientation
    return encode(image, "JPEG", quality=95, exif=exif)
