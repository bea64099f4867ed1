"""A font that is there on every machine: the one inside Pillow."""

from pathlib import Path

from PIL import ImageFont


def load_default_font() -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(48)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def write_fonts(folder: Path, *names: str) -> None:
    """Writes that font under each name."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(load_default_font().font_bytes)
