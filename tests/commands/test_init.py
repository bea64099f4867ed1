"""Folders and tables of images, looked at by `darkroom init`."""

import shutil
import subprocess
import sys

import pytest

from darkroom.commands.main import main
from darkroom.recipe import load_recipe
from darkroom.tests.images import encode, pixels


def write_images(folder, names):
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode(pixels(seed=number)))


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_class_folders_become_a_recipe_that_loads(place, capsys):
    names = [f"{name}/{number}.png" for name in ("Blaue Jeans", "ü: #1") for number in range(5)]
    write_images(place / "My Photos!", [*names, "Blaue Jeans/.DS_Store"])
    assert main(["init", "My Photos!"]) == 0
    recipe = load_recipe(place / "my-photos.yaml")
    assert (recipe.name, recipe.data.format, str(recipe.data.path)) == (
        "my-photos", "folders", "My Photos!",
    )  # fmt: skip
    assert recipe.evaluation.thresholds["accuracy"].min == 0.75
    said = capsys.readouterr().out
    assert "10 images, 2 classes: Blaue Jeans 5, ü: #1 5" in said
    assert said.endswith("wrote my-photos.yaml; next: darkroom run my-photos.yaml\n")


@pytest.mark.parametrize(
    ("header", "image", "label"),
    [
        ("image_path,label", "image_path", "label"),
        ("Filename,Class,split", "Filename", "Class"),
        ("what,kind,note", "what", "kind"),
    ],
)
def test_the_columns_of_a_table_are_found_by_name_or_content(place, header, image, label):
    write_images(place / "data", [f"{number}.png" for number in range(20)])
    rows = [f"{number}.png,{'ab'[number % 2]},{number}" for number in range(20)]
    rows = [row if header.count(",") == 2 else row.rpartition(",")[0] for row in rows]
    (place / "data/rows.csv").write_text("\n".join([header, *rows]) + "\n")
    assert main(["init", "data/rows.csv", "--name", "mine"]) == 0
    data = load_recipe(place / "mine.yaml").data
    assert (data.csv_file, data.image_column, data.label_column) == ("rows.csv", image, label)


@pytest.mark.parametrize(
    ("files", "arguments", "said"),
    [
        ([], ["data"], "'data' does not exist"),
        (["data/train/a/1.png", "data/val/a/1.png"], ["data"], "has only one class, 'a'"),
        (["data/a/1.png"], ["data"], "has only one class, 'a'; make one folder of images per"),
        (["data/1.png"], ["data"], "has no folders with images in it, and no CSV"),
        (["data/1.png"], ["data/1.png"], "'data/1.png' is no CSV"),
        (["data/a/1.png", "data/b/1.png"], ["data"], "classes in 'data' have fewer than 2 images"),
    ],
)
def test_what_is_no_data_is_refused_in_one_line(place, capsys, files, arguments, said):
    write_images(place, files)
    assert main(["init", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not list(place.glob("*.yaml"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no rows"),
        (b"nr,when\n1,2\n3,4\n", "no column looks like the images' paths (columns: nr, when)"),
        (b"image,x\n1.png,1\n2.png,2\n", "no column looks like the labels (columns: image, x)"),
        ("image,label\n1.png,Ärmel\n".encode("latin-1"), "is not UTF-8 (byte 0xc4 in line 2)"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused(place, capsys, content, said):
    (place / "rows.csv").write_bytes(content)
    assert main(["init", "rows.csv"]) == 2
    assert said in capsys.readouterr().err


SPLIT_ROWS = [f"{n}.png,{'ab'[n % 2]},{('train', 'val')[n > 15]}" for n in range(20)]
ONE_HOT = [f"{n},{n % 2},{1 - n % 2}" for n in range(20)]


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"rows.csv": ["file;label", *(f"x/{n}.png;{'ab'[n % 2]}" for n in range(20))]}, {}),
        ({"rows.csv": ["file,label,set", *(f"x/{row}" for row in SPLIT_ROWS)]},
         {"split_column": "set"}),
        ({"rows.csv": ["id,cat,dog", *ONE_HOT]},
         {"one_hot_columns": ("cat", "dog"), "image_prefix": "x/", "image_column": "id"}),
        ({"train.csv": ["file,label", *(f"x/{n}.png,{'ab'[n % 2]}" for n in range(9))],
          "val.csv": ["file,label", *(f"x/{n}.png,{'ab'[n % 2]}" for n in range(9, 20))]},
         {"split_files": {"train": "train.csv", "eval": "val.csv"}}),
        ({"train/metadata.csv": ["file_name,label", *(f"{n}.png,{'ab'[n % 2]}" for n in range(14))],
          "test/metadata.csv": ["file_name,label", *(f"{n}.png,{'ab'[n % 2]}" for n in range(6))]},
         {"split_files": {"train": "train/metadata.csv", "test": "test/metadata.csv"}}),
    ],
)  # fmt: skip
def test_tables_become_recipes_that_the_ingest_reads(place, capsys, tables, expected):
    for folder, count in (("x", 20), ("train", 14), ("test", 6)):
        if folder == "x" or any(name.startswith(folder + "/") for name in tables):
            write_images(place / "data" / folder, [f"{number}.png" for number in range(count)])
    for name, lines in tables.items():
        (place / "data" / name).write_text("\n".join(lines) + "\n")
    assert main(["init", "data"]) == 0, capsys.readouterr().err
    data = load_recipe(place / "data.yaml").data
    assert expected.items() <= data.model_dump().items()
    assert "20 images, 2 classes" in capsys.readouterr().out


def test_an_archive_becomes_a_recipe(place, capsys):
    write_images(place / "w/photos", [f"{name}/{n}.png" for name in "ab" for n in range(3)])
    shutil.make_archive(str(place / "photos"), "zip", place / "w")
    assert main(["init", "photos.zip"]) == 0
    assert load_recipe(place / "photos-zip.yaml").data.path.name == "photos.zip"
    said = capsys.readouterr().out
    assert "6 images, 2 classes: a 3, b 3" in said and "at least 20 pixels" in said


def test_given_splits_are_seen_and_said(place, capsys):
    names = [f"{split}/{name}/{n}.png" for split in ("train", "val") for name in "ab" for n in "12"]
    write_images(place / "data", names)
    assert main(["init", "data"]) == 0
    assert "folders are given splits: 'train' is train, 'val' is eval" in capsys.readouterr().out
    assert "eval_fraction" not in (place / "data.yaml").read_text()


def test_a_folder_of_digits_gives_a_name_that_is_text(place):
    write_images(place / "2024", [f"{name}/{n}.png" for name in "ab" for n in range(3)])
    assert main(["init", "2024"]) == 0
    recipe = load_recipe(place / "2024.yaml")
    assert recipe.name == "2024"
    assert "eval_fraction" in (place / "2024.yaml").read_text()


def test_what_is_there_is_not_written_over(place, capsys):
    write_images(place / "data", [f"{name}/{n}.png" for name in "ab" for n in range(3)])
    (place / "data.yaml").write_text("mine")
    assert main(["init", "data"]) == 2
    assert "'data.yaml' exists" in capsys.readouterr().err
    assert (place / "data.yaml").read_text() == "mine"


def test_looking_imports_no_tensorflow(place):
    write_images(place / "data", [f"{name}/{n}.png" for name in "ab" for n in range(3)])
    script = (
        "import sys; from darkroom.commands.main import main; main(['init', 'data']);"
        "print(sorted({'tensorflow', 'tfx', 'keras'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == "[]", ended.stderr
