import hashlib
import os

import pytest

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.load import load_row
from darkroom.components.image_example_gen.places.files import read_image
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.components.image_example_gen.split import SplitPlan
from darkroom.tests.images import encode, pixels
from darkroom.tests.unprivileged import unprivileged_folder
from darkroom.transform.conversion import convert
from darkroom.transform.descriptors import describe
from darkroom.transform.rejection import Reason, RejectedError


def reason(call, *arguments):
    with pytest.raises(RejectedError) as caught:
        call(*arguments)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("absent.png", Reason.MISSING_FILE),
        ("", Reason.MISSING_FILE),
        ("folder", Reason.MISSING_FILE),
        ("ok.png/x.png", Reason.MISSING_FILE),
        ("nul\0.png", Reason.MISSING_FILE),
        ("x" * 300, Reason.UNREADABLE),
        ("empty.png", Reason.EMPTY_FILE),
        ("pipe", Reason.UNREADABLE),
        ("loop", Reason.UNREADABLE),
        ("../outside.png", Reason.PATH_OUTSIDE_DATA),
        ("folder/../../outside.png", Reason.PATH_OUTSIDE_DATA),
        ("..", Reason.PATH_OUTSIDE_DATA),
        ("/outside.png", Reason.PATH_OUTSIDE_DATA),
        ("link.png", Reason.PATH_OUTSIDE_DATA),
        ("linked/outside.png", Reason.PATH_OUTSIDE_DATA),
    ],
)
def test_bad_files_are_rejected(tmp_path, path, expected):
    root = tmp_path / "data"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(b"secret")
    (root / "ok.png").write_bytes(b"x")
    (root / "empty.png").touch()
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    (root / "linked").symlink_to(tmp_path)
    (root / "inside.png").symlink_to("ok.png")
    assert reason(read_image, root, path) == expected
    assert read_image(root, "folder/../ok.png") == b"x"
    assert read_image(root, "inside.png") == b"x"


def test_forbidden_files_are_rejected():
    with unprivileged_folder() as folder:
        (folder / "a.png").write_bytes(b"x")
        (folder / "a.png").chmod(0)
        assert reason(read_image, folder, "a.png") == Reason.UNREADABLE


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Row(1, "a.png", ""), Reason.EMPTY_LABEL),
        (Row(1, "a.png", "two\nlines"), Reason.MALFORMED_ROW),
        (Row(1, "a.png", "x", problem="3 cells, the header has 2"), Reason.MALFORMED_ROW),
        (Row(1, "\udcff.png", "x"), Reason.UNREADABLE),
    ],
)
def test_bad_rows_are_rejected(tmp_path, row, expected):
    (tmp_path / "a.png").write_bytes(encode(pixels()))
    config = DataConfig(path=tmp_path)
    assert load_row(Row(1, "a.png", "x"), tmp_path, config, SplitPlan()).descriptors["height"] == 20
    assert reason(load_row, row, tmp_path, config, SplitPlan()) == expected


def test_an_example_holds_a_png_and_the_digest_of_the_stored_file(tmp_path):
    stored = encode(pixels(), "WEBP", lossless=True)
    (tmp_path / "a.webp").write_bytes(stored)
    loaded = load_row(Row(1, "a.webp", "x"), tmp_path, DataConfig(path=tmp_path), SplitPlan())
    assert loaded.digest == hashlib.sha256(stored).digest()
    assert loaded.content == convert(stored) != stored
    assert loaded.descriptors == describe(loaded.content)


def test_a_jpeg_without_an_end_is_an_example_by_option(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encode(pixels(), "JPEG")[:-2])
    row, config = Row(1, "a.jpg", "x"), DataConfig(path=tmp_path)
    assert reason(load_row, row, tmp_path, config, SplitPlan()) == Reason.NOT_AN_IMAGE
    config = DataConfig(path=tmp_path, read_truncated=True)
    assert load_row(row, tmp_path, config, SplitPlan()).descriptors["height"] == 20
