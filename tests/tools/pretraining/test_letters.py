import dataclasses
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.tests.tools.pretraining.default_font import load_default_font
from darkroom.tools.pretraining.fonts import draw_glyph
from darkroom.tools.pretraining.letters import IMAGE_SIZE, LETTERS, LetterStyle, draw_style, render

FONT = load_default_font()
PLAIN = LetterStyle(
    stroke_width=0,
    rotation=0.0,
    shear=0.0,
    stretch=1.0,
    warp=np.zeros((4, 4, 2)),
    resolution=IMAGE_SIZE,
    fill=1.0,
    offset=np.array([0.5, 0.5]),
    blur=0.0,
    upsampling=2,
    background=0.0,
    ink=255.0,
    noise=0.0,
    noise_seed=0,
)


def plain(**changes) -> LetterStyle:
    return dataclasses.replace(PLAIN, **changes)


def test_classes_are_the_52_letters_and_no_digit():
    assert sorted(LETTERS) == sorted(string.ascii_letters)
    assert not set(LETTERS) & set(string.digits)


@given(seed=st.integers(0, 2**32), letter=st.sampled_from(LETTERS))
def test_rendering_is_a_visible_letter_and_follows_the_seed(seed, letter):
    def draw() -> np.ndarray:
        style = draw_style(np.random.default_rng(seed))
        return render(draw_glyph(FONT, letter, style.stroke_width), style)

    image = draw()
    assert (image.shape, image.dtype) == ((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    assert np.ptp(image.astype(int)) > 40
    np.testing.assert_array_equal(image, draw())


def test_polarity_swaps_ink_and_background():
    glyph = draw_glyph(FONT, "B")
    light, dark = render(glyph, PLAIN), render(glyph, plain(background=255.0, ink=0.0))
    np.testing.assert_allclose(light.astype(int), 255 - dark.astype(int), atol=1)


def test_letter_fills_its_frame_as_told_to():
    glyph = draw_glyph(FONT, "H")
    for fill in (0.5, 1.0):
        rows = np.flatnonzero(render(glyph, plain(fill=fill)).max(axis=1) > 127)
        assert np.ptp(rows) + 1 == pytest.approx(fill * IMAGE_SIZE, abs=2)


def test_offset_moves_the_letter():
    glyph = draw_glyph(FONT, "I")
    images = [render(glyph, plain(fill=0.5, offset=np.array([x, 0.5]))) for x in (0.0, 1.0)]
    columns = [np.flatnonzero(image.max(axis=0) > 127).mean() for image in images]
    assert columns[1] - columns[0] > IMAGE_SIZE / 2


def test_rotation_by_half_a_turn_is_upside_down():
    glyph = draw_glyph(FONT, "L")
    turned = render(glyph, plain(rotation=np.pi)).astype(int)
    upright = render(glyph, PLAIN).astype(int)
    assert np.abs(turned - upright[::-1, ::-1]).mean() < 0.2 * np.abs(turned - upright).mean()


def test_coarse_raster_has_few_distinct_rows():
    coarse = render(draw_glyph(FONT, "S"), plain(resolution=8, upsampling=0))
    assert len(np.unique(coarse, axis=0)) <= 8


def test_noise_has_the_given_size():
    glyph = draw_glyph(FONT, "I")
    grey = {"background": 100.0, "ink": 200.0}
    quiet = render(glyph, plain(**grey)).astype(int)
    noisy = render(glyph, plain(**grey, noise=10.0, noise_seed=3)).astype(int)
    assert np.std(noisy - quiet) == pytest.approx(10.0, rel=0.1)
