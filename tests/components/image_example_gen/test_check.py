import subprocess
import sys
import unicodedata

import pytest

from darkroom.components.errors import ComponentError
from darkroom.components.image_example_gen.check import check
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet
from darkroom.components.image_example_gen.errors import DataClassesError, DataLocationError
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.tests.images import encode, pixels
from darkroom.tests.unprivileged import unprivileged_folder

GOOD = "image_path,label\n0.png,a\n1.png,a\n2.png,b\n3.png,b\n"


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(encode(pixels(seed=number)))
    (tmp_path / "labels.csv").write_text(GOOD)
    return tmp_path


def with_csv(folder, content):
    (folder / "labels.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return DataConfig(path=folder)


def test_good_data_pass(folder):
    assert check(DataConfig(path=folder)) == (4, {"a": 2, "b": 2}, (), frozenset())


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("", DataLocationError, "data.image_column no header"),
        ("image,label\n", DataLocationError, "data.image_column 'image_path' image, label"),
        ("image_path,name\n", DataLocationError, "data.label_column 'label' image_path, name"),
        ("image_path;name\n", DataLocationError, "data.label_column image_path, name"),
        ("image_path,label,label\n", DataLocationError, "data.label_column more than one"),
        ("image_path,label\n", DataClassesError, "no rows two labels"),
        ("image_path,label\n0.png,\n1.png, \n", DataClassesError, "no classes"),
        (GOOD.replace(",b", ",a"), DataClassesError, "only one class 'a' two labels"),
        (GOOD.replace("3.png,b", "3.png,c"), DataClassesError, "2 of 3 'b' 1, 'c' 1 min_class"),
        (GOOD.replace("3.png", "./2.png"), DataClassesError, "1 of 2 'b' 1"),
        (GOOD.replace(".png", ".jpg"), DataLocationError, "data.image_column '0.jpg' data.path"),
        (
            GOOD.replace(",a", ",é").encode("latin-1"),
            DataLocationError,
            "csv_file UTF-8 0xe9 line 2",
        ),
        (GOOD + '4.png,"open\n5.png,b\n', DataLocationError, "csv_file line quotes"),
    ],
)
def test_bad_csv_is_refused_in_one_line(folder, content, error, words):
    with pytest.raises(error) as caught:
        check(with_csv(folder, content))
    message = str(caught.value)
    assert isinstance(caught.value, ComponentError)
    assert "\n" not in message
    assert message.startswith("data.")
    missing = [word for word in words.split() if word not in message]
    assert not missing, message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "nowhere"}, ["data.path", "'nowhere'", "does not exist"]),
        ({"csv_file": "other.csv"}, ["data.csv_file", "'other.csv'", "folders"]),
        ({"csv_file": "."}, ["data.csv_file", "cannot be read"]),
        ({"group_column": "patient"}, ["data.group_column", "'patient'"]),
        ({"metadata_columns": ("day",)}, ["data.metadata_columns", "'day'"]),
        ({"format": "folders"}, ["data.path", "no rows", "one folder"]),
    ],
)
def test_bad_places_are_refused_in_one_line(folder, options, words):
    with pytest.raises((DataLocationError, DataClassesError)) as caught:
        check(DataConfig(**{"path": folder, **options}))
    assert all(word in str(caught.value) for word in words), caught.value


def test_single_images_pass_when_the_recipe_says_so(folder):
    with_csv(folder, GOOD.replace("3.png,b", "3.png,c"))
    overview = check(DataConfig(path=folder, min_class_images=1))
    assert overview.images_by_label == {"a": 2, "b": 1, "c": 1}


def test_rows_are_cleaned_and_numbered_as_in_a_spreadsheet(folder):
    decomposed = unicodedata.normalize("NFD", "café")
    text = f'\ufeffimage_path,label\n"0.png", {decomposed} \n\n1.png,b,\n2.png\n3.png,a,x\n'
    assert list(DataSet(with_csv(folder, text)).list_rows()) == [
        Row(2, "0.png", "café"),
        Row(4, "1.png", "b"),
        Row(5, "2.png", "", problem="1 cells, the header has 2"),
        Row(6, "3.png", "a", problem="3 cells, the header has 2"),
    ]


def test_group_and_metadata_follow_the_recipe(folder):
    with_csv(folder, "day,label,image_path,who\nmon,a,0.png,x\n")
    config = DataConfig(path=folder, group_column="who", metadata_columns=("who", "day"))
    assert list(DataSet(config).list_rows()) == [Row(2, "0.png", "a", "x", ("x", "mon"))]


def test_class_folders_are_listed_in_order(tmp_path):
    names = ["b/1.png", "b/deep/2.png", "a/x.png", "a/.hidden", "b/Thumbs.db", ".git/x"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    rows = list(DataSet(DataConfig(path=tmp_path, format="folders")).list_rows())
    assert rows == [Row(1, "a/x.png", "a"), Row(2, "b/1.png", "b"), Row(3, "b/deep/2.png", "b")]


def test_a_folder_without_images_is_passed_over_and_named(tmp_path):
    for name in ("a/0.png", "a/1.png", "b/2.png", "b/3.png", "empty/.keep"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    overview = check(DataConfig(path=tmp_path, format="folders"))
    assert overview.images_by_label == {"a": 2, "b": 2}
    assert overview.notes == ("without images, and passed over: 'empty'",)


def test_unreadable_class_folder_is_refused():
    with unprivileged_folder() as folder:
        (folder / "a").mkdir(mode=0)
        with pytest.raises(DataLocationError, match="cannot be read"):
            list(DataSet(DataConfig(path=folder, format="folders")).list_rows())


def test_data_are_checked_without_tensorflow(folder):
    program = (
        "import sys;"
        "from darkroom.components.image_example_gen.check import check;"
        "from darkroom.components.image_example_gen.config import DataConfig;"
        "from darkroom.components.image_example_gen.fingerprint import fingerprint;"
        "config = DataConfig(path=sys.argv[1]); check(config); fingerprint(config);"
        "assert not {'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True)
