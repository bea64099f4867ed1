"""Rendering of letters: what a glyph looks like is drawn at random apart from drawing it.

No digit is ever rendered: the digits recipe measures transfer to classes never seen.
"""

import math
import string
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

LETTERS = string.ascii_lowercase + string.ascii_uppercase
"""The 52 classes, in label order."""
assert len(LETTERS) == 52 and not set(LETTERS) & set(string.digits)

IMAGE_SIZE = 64
"""Height and width of a rendered letter in pixels."""

_MESH_CELLS = 3
_UPSAMPLING = (
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


@dataclass(frozen=True)
class LetterStyle:
    """Everything that is random about one rendered letter.

    Args:
        stroke_width: Extra stroke in pixels at the glyph's drawing size.
        rotation: Radians.
        shear: Horizontal shift per unit of height.
        stretch: Width over height, times that of the glyph.
        warp: Shifts of the inner mesh points, float [4, 4, 2], fractions of the glyph's size.
        resolution: Pixels of the square raster that the letter is sampled on.
        fill: Fraction of that raster which the letter's longer side takes.
        offset: Position of the letter in the free space, each 0 to 1, float [2].
        blur: Radius of a Gaussian blur in raster pixels.
        upsampling: Index of the filter from raster to `IMAGE_SIZE`.
        background: Grey level of the background, 0 to 255.
        ink: Grey level of the letter, 0 to 255.
        noise: Standard deviation of pixel noise in grey levels.
    """

    stroke_width: int
    rotation: float
    shear: float
    stretch: float
    warp: np.ndarray
    resolution: int
    fill: float
    offset: np.ndarray
    blur: float
    upsampling: int
    background: float
    ink: float
    noise: float
    noise_seed: int


def draw_style(rng: np.random.Generator) -> LetterStyle:
    """A random style; half of them are coarse rasters of 8 to 16 pixels, as scanners made."""
    coarse = rng.random() < 0.5
    background, ink = _draw_grey_levels(rng)
    return LetterStyle(
        stroke_width=int(rng.integers(0, 4)),
        rotation=float(rng.normal(0.0, math.radians(9.0))),
        shear=float(rng.normal(0.0, 0.18)),
        stretch=float(np.exp(rng.normal(0.0, 0.2))),
        warp=rng.normal(0.0, 0.05, size=(_MESH_CELLS + 1, _MESH_CELLS + 1, 2)),
        resolution=int(rng.integers(8, 17)) if coarse else int(rng.integers(17, IMAGE_SIZE + 1)),
        fill=float(rng.uniform(0.65, 1.0)),
        offset=rng.beta(2.0, 2.0, size=2),
        blur=float(rng.uniform(0.0, 0.4)) if coarse else float(rng.uniform(0.0, 1.2)),
        upsampling=int(rng.integers(len(_UPSAMPLING))),
        background=background,
        ink=ink,
        noise=float(rng.uniform(0.0, 18.0)) if rng.random() < 0.5 else 0.0,
        noise_seed=int(rng.integers(2**31)),
    )


def _draw_grey_levels(rng: np.random.Generator) -> tuple[float, float]:
    """Background and ink at least 90 grey levels apart, either of them the lighter."""
    dark = float(rng.uniform(0.0, 80.0)) if rng.random() < 0.6 else 0.0
    light = float(rng.uniform(dark + 90.0, 255.0)) if rng.random() < 0.6 else 255.0
    return (dark, light) if rng.random() < 0.5 else (light, dark)


def render(glyph: Image.Image, style: LetterStyle) -> np.ndarray:
    """The glyph (`L`, ink 255 on 0) in `style`: uint8 [IMAGE_SIZE, IMAGE_SIZE] grey levels."""
    raster = _rasterize(_distort(glyph, style), style)
    if style.blur > 0.0:
        raster = raster.filter(ImageFilter.GaussianBlur(style.blur))
    image = raster.resize((IMAGE_SIZE, IMAGE_SIZE), _UPSAMPLING[style.upsampling])
    ink = np.asarray(image, np.float32) / 255.0
    grey = style.background + (style.ink - style.background) * ink
    if style.noise > 0.0:
        noise = np.random.default_rng(style.noise_seed).standard_normal(grey.shape, np.float32)
        grey = grey + style.noise * noise
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _distort(glyph: Image.Image, style: LetterStyle) -> Image.Image:
    """The glyph rotated, sheared and warped, cropped to its ink."""
    side = int(1.7 * max(glyph.size))
    canvas = Image.new("L", (side, side), 0)
    canvas.paste(glyph, ((side - glyph.width) // 2, (side - glyph.height) // 2))
    points = _source_points(style) * side
    step = side / _MESH_CELLS
    mesh = [
        (
            tuple(round(edge * step) for edge in (column, row, column + 1, row + 1)),
            tuple(
                float(value)
                for corner in (
                    (row, column),
                    (row + 1, column),
                    (row + 1, column + 1),
                    (row, column + 1),
                )
                for value in points[corner]
            ),
        )
        for row in range(_MESH_CELLS)
        for column in range(_MESH_CELLS)
    ]
    image = canvas.transform(canvas.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
    return image.crop(image.getbbox() or (0, 0, side, side))


def _source_points(style: LetterStyle) -> np.ndarray:
    """Where the mesh points of the output lie in the input: float [4, 4, 2] as (x, y) in 0 to 1."""
    axis = np.linspace(-0.5, 0.5, _MESH_CELLS + 1)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    cosine, sine = math.cos(style.rotation), math.sin(style.rotation)
    affine = np.array([[cosine, -sine], [sine, cosine]]) @ np.array(
        [[1.0, style.shear], [0.0, 1.0]]
    )
    return grid @ affine.T + 0.5 + style.warp


def _rasterize(ink: Image.Image, style: LetterStyle) -> Image.Image:
    """The ink scaled and placed on a square raster of `resolution` pixels."""
    width, height = ink.width * style.stretch, float(ink.height)
    scale = style.fill * style.resolution / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    letter = ink.resize(size, Image.Resampling.BOX)
    raster = Image.new("L", (style.resolution, style.resolution), 0)
    free = np.array(raster.size) - np.array(size)
    left, top = np.rint(free * style.offset).astype(int)
    raster.paste(letter, (int(left), int(top)))
    return raster
