import csv
import io

import numpy as np
import pytest
from PIL import Image

from darkroom.samples.digits import (
    SIZE,
    encode_png,
    is_sample_path,
    main,
    sample_files,
    select_digits,
)
from darkroom.samples.folder import FolderError, write_folder


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_whole_set_has_one_image_a_row():
    files = sample_files("csv")
    rows = list(csv.DictReader(io.StringIO(files["labels.csv"].decode())))
    assert len(rows) == 1797 == len({row["image_path"] for row in rows}) == len(files) - 1
    assert {row["image_path"] for row in rows} == set(files) - {"labels.csv"}
    assert {row["label"] for row in rows} == {str(digit) for digit in range(10)}
    sources = [row["source"] for row in rows]
    assert sources == sorted(sources)
    assert set(np.unique(sources, return_counts=True)[1]) == {138, 139}


def test_images_are_the_digits_enlarged():
    for digit in select_digits(2):
        image = Image.open(io.BytesIO(encode_png(digit.pixels)))
        assert (image.size, image.mode) == ((SIZE, SIZE), "L")
        shrunk = np.asarray(image.resize((8, 8), Image.Resampling.BOX)).astype(int)
        assert np.corrcoef(shrunk.ravel(), digit.pixels.ravel())[0, 1] > 0.97
        assert 0 < np.asarray(image).mean() < 255


def test_pixels_are_scaled_to_all_grey_levels():
    pixels = np.stack([digit.pixels for digit in select_digits(20)])
    assert (pixels.min(), pixels.max(), pixels.dtype) == (0, 255, np.uint8)


@pytest.mark.parametrize("layout", ["csv", "folders"])
def test_a_second_run_changes_nothing(tmp_path, layout, capsys):
    arguments = ["--output", str(tmp_path / "d"), "--layout", layout, "--per-class", "3"]
    assert main(arguments) == 0
    before, written = contents(tmp_path / "d"), (tmp_path / "d").stat().st_ino
    assert main(arguments) == 0
    assert contents(tmp_path / "d") == before
    assert (tmp_path / "d").stat().st_ino == written
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'd'}: 30 images, written",
        f"{tmp_path / 'd'}: 30 images, already there",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_two_runs_write_the_same_bytes():
    assert sample_files("csv", 5) == sample_files("csv", 5)


def test_folders_hold_the_same_images_as_the_csv():
    by_csv, by_folder = sample_files("csv", 4), sample_files("folders", 4)
    rows = csv.DictReader(io.StringIO(by_csv["labels.csv"].decode()))
    expected = {
        f"{row['label']}/{row['image_path'].split('/')[1]}": by_csv[row["image_path"]]
        for row in rows
    }
    assert by_folder == expected


def test_a_half_written_folder_is_replaced(tmp_path):
    files = sample_files("csv", 2)
    assert write_folder(tmp_path / "d", files, is_sample_path)
    removed, spoiled = sorted(files)[:2]
    (tmp_path / "d" / removed).unlink()
    (tmp_path / "d" / spoiled).write_bytes(b"half")
    assert write_folder(tmp_path / "d", files, is_sample_path)
    assert contents(tmp_path / "d") == files


def test_a_foreign_folder_is_left_alone(tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep")
    assert main(["--output", str(mine), "--per-class", "1"]) == 1
    assert "notes.txt" in capsys.readouterr().err
    assert contents(mine) == {"notes.txt": b"keep"}
    with pytest.raises(FolderError, match="not a folder"):
        write_folder(mine / "notes.txt", {}, is_sample_path)


def test_an_interrupted_run_leaves_the_old_state(tmp_path):
    write_folder(tmp_path / "d", {"labels.csv": b"old"}, is_sample_path)
    with pytest.raises(TypeError):
        write_folder(tmp_path / "d", {"labels.csv": b"new", "images/1.png": 7}, is_sample_path)
    assert contents(tmp_path / "d") == {"labels.csv": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize("number", ["0", "175", "-1"])
def test_impossible_sizes_are_refused(number, capsys):
    with pytest.raises(SystemExit):
        main(["--per-class", number])
    assert "1 to 174" in capsys.readouterr().err
