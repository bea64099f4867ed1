"""Which font files can be used to render letters."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from darkroom.tools.pretraining.letters import LETTERS
from darkroom.trainer.errors import PretrainingError

DEBIAN_PACKAGES = """
fonts-liberation fonts-freefont-ttf fonts-cantarell fonts-lato fonts-open-sans fonts-quicksand
fonts-comfortaa fonts-comic-neue fonts-dkg-handwriting fonts-breip fonts-bwht fonts-dancingscript
fonts-femkeklaver fonts-humor-sans fonts-joscelyn fonts-kaushanscript fonts-klee fonts-kristi
fonts-leckerli-one fonts-lobster fonts-lobstertwo fonts-rufscript fonts-havana fonts-sjfonts
fonts-ecolier-court fonts-dosis fonts-cabin fonts-karla fonts-jura fonts-play fonts-sil-andika
fonts-sil-gentium-basic fonts-ebgaramond fonts-inconsolata fonts-hack fonts-roboto-unhinted
fonts-roboto-slab fonts-oldstandard fonts-linuxlibertine fonts-routed-gothic fonts-osifont
fonts-national-park fonts-georgewilliams fonts-dustin fonts-ocr-a fonts-opendyslexic
fonts-tomsontalks fonts-averia-sans-gwf fonts-averia-serif-gwf fonts-beteckna fonts-bebas-neue
fonts-anonymous-pro fonts-isabella fonts-essays1743 fonts-monofur fonts-radisnoir fonts-okolaks
fonts-yanone-kaffeesatz fonts-urw-base35 fonts-tuffy fonts-tlwg-purisa-ttf fonts-dejavu-core
fonts-dejavu-extra
"""
"""What to install on Debian 12 (apt-get install) for the fonts of the shipped weights."""

GLYPH_SIZE = 64
"""Size in points at which glyphs are drawn, before any distortion."""
_SUFFIXES = (".ttf", ".otf")
_SAME_SHAPE_IN_BOTH_CASES = frozenset("cosvwxzikpu")


@lru_cache(maxsize=512)
def load_font(path: Path) -> ImageFont.FreeTypeFont:
    """The font at `path`, at `GLYPH_SIZE`; kept, because opening one costs more than drawing."""
    return ImageFont.truetype(str(path), GLYPH_SIZE, layout_engine=ImageFont.Layout.BASIC)


def draw_glyph(font: ImageFont.FreeTypeFont, letter: str, stroke_width: int = 0) -> Image.Image:
    """One glyph as a tight `L` image, ink 255 on 0; empty glyphs give a 1x1 image."""
    left, top, right, bottom = font.getbbox(letter, stroke_width=stroke_width)
    width, height = max(1, round(right - left)), max(1, round(bottom - top))
    image = Image.new("L", (width, height), 0)
    ImageDraw.Draw(image).text(
        (-left, -top), letter, fill=255, font=font, stroke_width=stroke_width
    )
    return image


def has_all_letters(path: Path) -> bool:
    """Whether the font draws 52 visible letters, with capitals that differ from small ones.

    A font without a letter draws its "missing" box for it; a font of capitals only would give one
    shape two labels.
    """
    try:
        font = load_font(path)
        missing = draw_glyph(font, "\uffff").tobytes()
        glyphs = {letter: draw_glyph(font, letter) for letter in LETTERS}
    except OSError:
        return False
    if any(glyph.getbbox() is None or glyph.tobytes() == missing for glyph in glyphs.values()):
        return False
    comparable = (letter for letter in LETTERS[:26] if letter not in _SAME_SHAPE_IN_BOTH_CASES)
    return all(
        glyphs[letter].tobytes() != glyphs[letter.upper()].tobytes() for letter in comparable
    )


def find_fonts(folders: Iterable[Path]) -> list[Path]:
    """Usable font files below `folders`, sorted by file name, each name once.

    Raises:
        PretrainingError: A folder does not exist, or fewer than two fonts are usable.
    """
    by_name: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise PretrainingError(f"--fonts: {folder} is not a folder; install fonts or change it")
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in _SUFFIXES:
                by_name.setdefault(path.name, path)
    usable = [by_name[name] for name in sorted(by_name) if has_all_letters(by_name[name])]
    if len(usable) < 2:
        raise PretrainingError(
            f"--fonts: {len(usable)} of {len(by_name)} font files have all letters; at least 2 are "
            f"needed, for example from the Debian packages {', '.join(DEBIAN_PACKAGES.split()[:3])}"
        )
    return usable


def split_fonts(fonts: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Fonts for training and, of every tenth folder, for the check: no family is in both."""
    folders = sorted({font.parent for font in fonts})
    held_out = set(folders[5::10]) or {folders[-1]}
    train = [font for font in fonts if font.parent not in held_out]
    return train, [font for font in fonts if font.parent in held_out]
