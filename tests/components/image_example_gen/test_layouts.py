"""Folders as people have them: which are classes, which are splits, and what is neither."""

from collections import Counter

import pytest

from darkroom.components.image_example_gen.check import check
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet
from darkroom.components.image_example_gen.errors import DataClassesError


def write(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def images(*folders, count=2):
    return [f"{folder}/{number}.png" for folder in folders for number in range(count)]


def count(folder, **section):
    """Rows by label and given split."""
    config = DataConfig(path=folder, format="folders", **section)
    check(config)
    rows = [row for row in DataSet(config).list_rows() if not row.skipped]
    return Counter((row.label, row.split) for row in rows)


def by_splits(*splits):
    return {(label, split): 2 for label in ("cat", "dog") for split in splits}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("train", "val", "test"), ("train", "eval", "test")),
        (("train", "valid"), ("train", "eval")),
        (("Training", "Validation", "Testing"), ("train", "eval", "test")),
        (("train", "dev"), ("train", "eval")),
        (("train", "test"), ("train", "test")),
        (("train2017", "val2017"), ("train", "eval")),
        (("train_set", "test_set"), ("train", "test")),
        (("seg_train", "seg_test"), ("train", "test")),
        (("train/images", "val/images"), ("train", "eval")),
        (("train/train", "test/test"), ("train", "test")),
    ],
)
@pytest.mark.parametrize("wrapper", ["", "wrapper/", "one/two/"])
def test_folders_of_splits_are_given_splits(tmp_path, names, expected, wrapper):
    for name in names:
        write(tmp_path, images(f"{wrapper}{name}/cat", f"{wrapper}{name}/dog"))
    assert count(tmp_path) == by_splits(*expected)


def test_splits_may_lie_within_the_classes(tmp_path):
    write(tmp_path, images("cat/train", "cat/val", "dog/train", "dog/val"))
    assert count(tmp_path) == by_splits("train", "eval")


def test_the_start_says_which_splits_were_given(tmp_path):
    write(tmp_path, [*images("train/cat", "train/dog", count=3), *images("test/cat")])
    notes = check(DataConfig(path=tmp_path, format="folders")).notes
    assert notes == (
        "folders are given splits: 'test' is test, 'train' is train",
        "the splits that the data give are kept: 6 train, 2 test; "
        "eval is drawn from train (data.eval_fraction)",
        "not in split 'test', so not measured there: 'dog'",
    )


@pytest.mark.parametrize(
    "folders",
    [
        ("cat", "dog"),
        ("wrapper/cat", "wrapper/dog"),
        ("cat/2019", "cat/2020", "dog/2020"),
        ("cat", "dog/deep/deeper"),
        ("train", "car", "plane"),
        ("valid", "invalid"),
        ("test_tube", "beaker"),
        ("training shoe", "dev board"),
    ],
)
def test_other_folders_are_classes(tmp_path, folders):
    write(tmp_path, images(*folders))
    depth = 1 if folders[0].startswith("wrapper/") else 0
    labels = Counter(folder.split("/")[depth] for folder in folders)
    assert count(tmp_path) == {(label, ""): 2 * number for label, number in labels.items()}


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("train/cat", "train/dog", "val/cat", "extra/cat"), "'extra' are not: are they classes"),
        (("train/cat", "train/dog", "birds"), "'birds' are not: are they classes or splits?"),
        (("train", "test", "cat", "dog"), "'cat', 'dog' are not: are they classes or splits?"),
        (("train", "test"), "'test', 'train' has images without a class folder"),
        (("train", "train/cat", "train/dog"), "of the splits 'train', 'train' has images without"),
        (("train/cat", "train/dog", "test", "test/cat"), "by data.exclude, file by file"),
        (("train/cat", "train/dog", "test"), r"data.exclude: \['test/\*'\]"),
        (("val/cat", "val/dog", "test/cat", "test/dog"), "none is for training"),
        (("train/cat", "val/cat", "valid/cat"), "'val', 'valid' are both called as the split"),
        (("fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog"), "holds the same folders, 'cat'"),
        (("cat/train", "cat/val", "dog"), "some class folders hold splits"),
        (("train/cat", "train/dog", "val/Cat", "val/dog"), "'eval' has classes that 'train' has"),
    ],
)
def test_what_can_mean_two_things_is_refused_with_what_to_do(tmp_path, folders, said):
    write(tmp_path, images(*folders))
    with pytest.raises(DataClassesError, match=said) as caught:
        count(tmp_path)
    assert "\n" not in str(caught.value) and "data." in str(caught.value)


def test_a_pattern_says_what_folders_are(tmp_path):
    write(tmp_path, images("fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog"))
    pattern = "(?P<group>[^/]+)/(?P<label>[^/]+)/.+"
    assert count(tmp_path, path_pattern=pattern) == {("cat", ""): 4, ("dog", ""): 4}
    rows = DataSet(DataConfig(path=tmp_path, format="folders", path_pattern=pattern)).list_rows()
    assert {row.group for row in rows} == {"fold1", "fold2"}


def test_a_pattern_finds_labels_in_the_names_of_files(tmp_path):
    names = [f"{kind}.{n}.jpg" for kind in ("cat", "dog") for n in range(3)]
    write(tmp_path, [*names, "train/cat_7.jpg", "odd"])
    pattern = r"(?:(?P<split>[^/]+)/)?(?P<label>[a-z]+)[._]\d+\.jpg"
    assert count(tmp_path, path_pattern=pattern) == {
        ("cat", ""): 3, ("dog", ""): 3, ("cat", "train"): 1, ("", ""): 1,
    }  # fmt: skip
    assert ("", "") not in count(tmp_path, path_pattern=pattern, skip_unlabelled=True)


def test_class_folders_below_spans_are_read(tmp_path):
    write(tmp_path, images(*(f"span-{n}/{name}" for n in (8, 9, 10) for name in ("cat", "dog"))))
    pattern = r"span-\d+/(?P<label>[^/]+)/.+"
    found = count(tmp_path, path_pattern=pattern, newest_spans=2)
    assert found == {("cat", ""): 4, ("dog", ""): 4}
    one = count(tmp_path, path_pattern=pattern, include=("span-8/*",))
    assert one == {("cat", ""): 2, ("dog", ""): 2}


LITTER = [
    "__MACOSX/cat/._0.png", "cat/.DS_Store", "@eaDir/cat/0.png", "cat/Thumbs.db",
    ".ipynb_checkpoints/0.png", "dog/.ipynb_checkpoints/0.png", "cat/0.json", "cat/0.xml",
    "dog/notes.txt", "dog/0.XMP", "annotations/0.xml", "empty/.gitkeep", "README.md", "stray.png",
]  # fmt: skip


def test_clutter_is_neither_image_nor_class(tmp_path):
    write(tmp_path, [*images("cat", "dog"), *LITTER])
    assert count(tmp_path) == {("cat", ""): 2, ("dog", ""): 2}
    notes = check(DataConfig(path=tmp_path, format="folders")).notes
    assert notes == ("without images, and passed over: 'annotations', 'empty'",)


def test_linked_folders_that_are_not_entered_are_named(tmp_path):
    write(tmp_path, images("train/cat", "train/dog", "elsewhere"))
    (tmp_path / "elsewhere").rename(tmp_path / ".rats")
    (tmp_path / "train/rat").symlink_to(tmp_path / ".rats")
    notes = check(DataConfig(path=tmp_path, format="folders")).notes
    assert "linked folders that are not entered: 'train/rat'" in notes


def test_patterns_choose_files(tmp_path):
    write(tmp_path, [*images("cat", "dog", "rat/deep"), "cat/x.webp", "test/0.png", "train/0.png"])
    chosen = count(tmp_path, include=("*.png",), exclude=("t*/*", "rat/*"))
    assert chosen == {("cat", ""): 2, ("dog", ""): 2}
