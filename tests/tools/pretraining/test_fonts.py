from pathlib import Path

import pytest

from darkroom.tests.tools.pretraining.default_font import write_fonts
from darkroom.tools.pretraining.fonts import (
    DEBIAN_PACKAGES,
    find_fonts,
    has_all_letters,
    split_fonts,
)
from darkroom.trainer.errors import PretrainingError


def test_usable_fonts_are_found_once_and_sorted(tmp_path):
    write_fonts(tmp_path / "one", "b.ttf", "a.OTF", "readme.txt")
    write_fonts(tmp_path / "two", "b.ttf", "c.ttf")
    (tmp_path / "one" / "broken.ttf").write_bytes(b"no font")
    found = find_fonts([tmp_path])
    assert [path.name for path in found] == ["a.OTF", "b.ttf", "c.ttf"]


def test_file_that_is_no_font_has_no_letters(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert not has_all_letters(tmp_path / "broken.ttf")


def test_missing_folder_and_too_few_fonts_are_errors(tmp_path):
    with pytest.raises(PretrainingError, match="nothing is not a folder"):
        find_fonts([tmp_path / "nothing"])
    write_fonts(tmp_path / "one", "a.ttf")
    with pytest.raises(PretrainingError, match=r"1 of 1 font files .*fonts-liberation"):
        find_fonts([tmp_path])


@pytest.mark.parametrize("folders", [2, 7, 30])
def test_no_family_is_both_trained_on_and_held_out(folders):
    fonts = [Path(f"family{i:02d}") / f"{i}{style}.ttf" for i in range(folders) for style in "ab"]
    train, held_out = split_fonts(fonts)
    assert train and held_out
    assert sorted(train + held_out) == sorted(fonts)
    assert not {font.parent for font in train} & {font.parent for font in held_out}


def test_packages_are_names_for_apt():
    assert all(name.startswith("fonts-") for name in DEBIAN_PACKAGES.split())
