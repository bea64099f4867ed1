"""Tables as people have them: CSV of any make, JSON Lines, Parquet."""

import gzip
import json
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.components.image_example_gen.check import check
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet
from darkroom.components.image_example_gen.errors import DataClassesError, DataError
from darkroom.components.image_example_gen.load import load_row
from darkroom.components.image_example_gen.split import SplitPlan
from darkroom.storage.object_store import upload_folder
from darkroom.transform.rejection import RejectedError

LABELS = ("cat", "dog", "cat", "dog")
PLAIN = [("image_path", "label"), *((f"images/{n}.jpg", label) for n, label in enumerate(LABELS))]


def text(rows=PLAIN, delimiter=","):
    return "".join(delimiter.join(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(4):
        (tmp_path / f"images/{number}.jpg").write_bytes(b"%d" % number)
    return tmp_path


def list_rows(folder, content=None, **section):
    """Paths and labels of the rows that are wanted, checked before."""
    if content is not None:
        content = content if isinstance(content, bytes) else content.encode()
        (folder / section.get("csv_file", "labels.csv")).write_bytes(content)
    config = DataConfig(path=folder, **section)
    check(config)
    return [row for row in DataSet(config).list_rows() if not row.skipped]


def pairs(rows):
    return [(row.image_path, row.label) for row in rows]


@pytest.mark.parametrize(
    ("content", "section"),
    [
        (text(), {}),
        (text(delimiter=";"), {}),
        (text(delimiter="\t"), {"csv_file": "labels.tsv"}),
        (text(delimiter="|"), {}),
        (text(delimiter="~"), {"delimiter": "~"}),
        ("id;image_path;label\n" + "".join(f"1,5;{p};{x}\n" for p, x in PLAIN[1:]), {}),
        (text().encode("utf-8-sig"), {}),
        (text().encode("utf-16"), {}),
        (b"\xfe\xff" + text(delimiter="\t").encode("utf-16-be"), {}),
        (gzip.compress(text().encode()), {"csv_file": "labels.csv.gz"}),
        (text() + "\n\n,\n , \n\n", {}),
        (text().replace(",", ', "').replace("\n", '"\n'), {}),
        (text().replace("\n", "\r\n"), {}),
        (text().replace("\n", "\r"), {}),
        (text(delimiter=" "), {}),
        ("\n\n" + text(), {}),
        ("# made by hand, in 2019\n" + text(), {}),
        ("sep=;\n" + text(delimiter=";"), {}),
        ("Our animals,,\nwho,when\n" + text(), {}),
        (text().replace("images/", "images\\"), {}),
        (text().replace("images/", ".\\images\\"), {}),
        (text().replace("images/", ""), {"image_prefix": "images/"}),
        (text().replace(".jpg", ""), {}),
        (text().replace(".jpg", ""), {"image_suffix": ".jpg"}),
        (text().replace(".jpg", "").replace("images/", ""), {"image_prefix": "images/"}),
        (text().replace(".jpg", ".JPG"), {}),
        (text().replace("images/", "Images/"), {}),
        (text().replace("images/", "./other/../images/"), {}),
    ],
)
def test_a_csv_is_read_however_it_is_written(folder, content, section):
    assert pairs(list_rows(folder, content, **section)) == PLAIN[1:]


def test_rows_are_numbered_as_in_a_spreadsheet_whatever_is_above_the_header(folder):
    rows = list_rows(folder, "# made by hand\n\n" + text())
    assert [row.number for row in rows] == [4, 5, 6, 7]


def test_latin_1_is_read_when_it_is_said(folder):
    content = text().replace("dog", "Hündin").encode("latin-1")
    with pytest.raises(DataError, match=r"not UTF-8 \(byte 0xfc in line 3\).*data\.encoding"):
        list_rows(folder, content)
    labels = [label for _, label in pairs(list_rows(folder, content, encoding="latin-1"))]
    assert labels == ["cat", "Hündin"] * 2


def test_absolute_paths_within_the_folder_are_read(folder):
    assert pairs(list_rows(folder, text().replace("images/", f"{folder}/images/"))) == PLAIN[1:]


def test_paths_in_another_unicode_form_are_read(folder):
    for number in range(4):
        name = unicodedata.normalize("NFD", f"é{number}.jpg")
        (folder / f"images/{number}.jpg").rename(folder / "images" / name)
    rows = list_rows(folder, text().replace("images/", "images/é"))
    assert [(folder / row.image_path).is_file() for row in rows] == [True] * 4
    config = DataConfig(path=folder)
    assert check(config).notes == (
        "4 image paths are spelt otherwise than files: 'images/é0.jpg' is "
        f"{unicodedata.normalize('NFD', 'images/é0.jpg')!r}",
    )


def test_where_two_files_can_be_meant_none_is_taken(folder):
    for name in ("0.png", "A.png", "a.PNG"):
        (folder / "images" / name).write_bytes(b"x")
    rows = list_rows(folder, text([*PLAIN, ("images/0", "cat"), ("images/a.png", "dog")]))
    assert [row.image_path for row in rows[4:]] == ["images/0", "images/a.png"]
    for row, names in zip(rows[4:], (("0.jpg", "0.png"), ("A.png", "a.PNG")), strict=True):
        with pytest.raises(RejectedError) as caught:
            load_row(row, folder, DataConfig(path=folder), SplitPlan())
        assert all(f"'images/{name}'" in caught.value.detail for name in names)


def test_links_are_followed_within_the_folder(folder):
    (folder / "images/link.jpg").symlink_to("0.jpg")
    (folder / "linked").symlink_to("images")
    rows = list_rows(folder, text([*PLAIN, ("images/link.jpg", "cat"), ("linked/LINK", "cat")]))
    assert [row.image_path for row in rows[4:]] == ["images/link.jpg", "linked/link.jpg"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text().replace("images/", ""), "'images/0.jpg' instead; set data.image_prefix: 'images/'"),
        (text().replace("images/", "").replace(".jpg", ""), "set data.image_prefix: 'images/'"),
        (text().replace(".jpg", ".png"), "'images/0.jpg' instead; correct the column"),
        (text().replace("images/", "/home/me/images/"), "is an absolute path outside of data.path"),
        (text().replace("images/", "C:\\me\\images\\"), "is an absolute path outside of data.path"),
        (
            text().replace("images/", "data/images/"),
            "there is 'images/0.jpg' instead: paths begin 1",
        ),
        (text().replace("images/", "https://here/"), "an address in a network; fetch"),
        (text().replace("images/", "x"), "no file of that name is anywhere in data.path"),
    ],
)
def test_paths_that_lead_nowhere_have_their_true_reason(folder, content, said):
    with pytest.raises(DataError) as caught:
        list_rows(folder, content)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_wrong_prefix_is_named(folder):
    (folder / "images").rename(folder / "photos")
    with pytest.raises(DataError, match=r"set data\.image_prefix: 'photos/'"):
        list_rows(folder, text().replace("images/", ""), image_suffix="")
    (folder / "more").mkdir()
    (folder / "photos").rename(folder / "more/photos")
    with pytest.raises(DataError, match=r"set data\.image_prefix: 'more/photos/'"):
        list_rows(folder, text().replace("images/", ""), image_prefix="photos/")


def test_a_csv_in_a_bucket_is_read_the_same(folder, bucket):
    content = text(delimiter=";").replace("images/", "Images\\").replace(".jpg", "")
    expected = list_rows(folder, content)
    upload_folder(folder, "s3://bucket/data")
    assert list_rows("s3://bucket/data") == expected
    with DataSet(DataConfig(path="s3://bucket/data")).on_disk() as local:
        assert list(DataSet(local).list_rows()) == expected


SPLIT = [("image_path", "label", "part")] + [
    (f"images/{n}.jpg", label, part)
    for n, (label, part) in enumerate(zip(LABELS, ("train", "Train", "val", "TEST"), strict=True))
]


def test_a_split_column_is_kept(folder):
    rows = list_rows(folder, text(SPLIT), split_column="part", min_class_images=1)
    assert [row.split for row in rows] == ["train", "train", "eval", "test"]


def test_a_split_column_that_is_not_used_is_named(folder):
    list_rows(folder, text(SPLIT).replace("part", "Split"))
    said = "column 'Split' is not used: data.split_column, if it says splits"
    assert check(DataConfig(path=folder)).notes == (said,)
    assert check(DataConfig(path=folder, metadata_columns=("Split",))).notes == ()


@pytest.mark.parametrize("wrong", ["fold 1", "", "traintest"])
def test_a_split_that_nobody_knows_is_refused(folder, wrong):
    with pytest.raises(DataClassesError, match=r"data\.split_column: .* row 5 is no split; known"):
        list_rows(folder, text(SPLIT).replace("TEST", wrong), split_column="part")


def test_several_tables_are_splits(folder):
    (folder / "a.csv").write_text(text(PLAIN[:3]))
    (folder / "b.csv").write_text(text([PLAIN[0], *PLAIN[3:]], delimiter=";"))
    rows = list_rows(folder, split_files={"train": "a.csv", "eval": "b.csv"})
    assert [row.split for row in rows] == ["train", "train", "eval", "eval"]
    with pytest.raises(ValueError, match="split_files names tables of 'eval'"):
        DataConfig(path=folder, split_files={"eval": "b.csv"})


def test_paths_may_start_at_the_folder_of_their_table(folder):
    (folder / "images/labels.csv").write_text(text().replace("images/", "").replace("0.jpg", "0"))
    assert pairs(list_rows(folder, csv_file="images/labels.csv")) == PLAIN[1:]


def test_unlabelled_rows_are_skipped_when_the_recipe_says_so(folder):
    content = text([*PLAIN, ("images/4.jpg", ""), ("images/5.jpg", "nan")])
    assert len(list_rows(folder, content)) == 6
    assert pairs(list_rows(folder, content, skip_unlabelled=True)) == PLAIN[1:]


@pytest.mark.parametrize("empty", ["nan", "NaN", "None", "null", "NULL", "NA", "N/A", "<NA>", " "])
def test_what_means_nothing_is_no_label(folder, empty):
    rows = list_rows(folder, text([*PLAIN, ("images/0.jpg", empty)]))
    assert rows[-1].label == ""
    said = f"labels that are taken for none (data.empty_labels): {empty!r}"
    assert check(DataConfig(path=folder)).notes == ((said,) if empty.strip() else ())
    kept = list_rows(folder, empty_labels=(), min_class_images=1)
    assert kept[-1].label == empty.strip()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("Cat", "cat", "CAT", "dog"), "'CAT' (1) and 'Cat' (1) and 'cat' (1) are taken as diff"),
        (("0", "0.0", "1", "1"), "'0' (1) and '0.0' (1) are taken as different"),
        (("t_shirt", "T-Shirt", "x", "x"), "'T-Shirt' (1) and 't_shirt' (1)"),
    ],
)
def test_labels_that_may_be_one_are_named_at_the_start(folder, labels, said):
    rows = [PLAIN[0], *((path, label) for (path, _), label in zip(PLAIN[1:], labels, strict=True))]
    (folder / "labels.csv").write_text(text(rows))
    (note,) = check(DataConfig(path=folder, min_class_images=1)).notes
    assert said in note


@pytest.mark.parametrize(
    "labels",
    [
        ("Mass|Edema", "Mass", "None found", "Mass|Edema"),
        ("a;b", "b;c", "c", "a"),
        ("a|b", "b|c", "a|b", "b|c"),
        ("a, b", "a", "b", "a"),
    ],
)
def test_several_labels_of_an_image_are_refused_by_name(folder, labels):
    rows = [("image_path", "label"), *((f"images/{n}.jpg", x) for n, x in enumerate(labels))]
    content = text(rows, "\t")
    with pytest.raises(DataClassesError, match="reads as several labels of one image") as caught:
        list_rows(folder, content, min_class_images=1)
    assert repr(labels[0]) in str(caught.value)


@pytest.mark.parametrize("labels", [("a|b", "c|d"), ("tench, Tinca", "goldfish, Carassius")])
def test_a_separator_alone_proves_nothing(folder, labels):
    rows = [PLAIN[0], *((path, labels[n % 2]) for n, (path, _) in enumerate(PLAIN[1:]))]
    assert {row.label for row in list_rows(folder, text(rows, "\t"))} == set(labels)


ONE_HOT = [("image_path", "cat", "dog"), ("images/0.jpg", "1", "0"), ("images/1.jpg", "0.0", "1.0"),
           ("images/2.jpg", "True", ""), ("images/3.jpg", "0", "1")]  # fmt: skip


def test_one_hot_columns_are_read(folder):
    with pytest.raises(DataError, match=r"no column 'label'; .* set data\.one_hot_columns"):
        list_rows(folder, text(ONE_HOT))
    section = {"one_hot_columns": ("cat", "dog")}
    assert pairs(list_rows(folder, text(ONE_HOT), **section)) == PLAIN[1:]
    several = text(ONE_HOT).replace("1,0\n", "1,1\n")
    with pytest.raises(DataClassesError, match=r"'cat\|dog' reads as several"):
        list_rows(folder, several, **section, min_class_images=1)
    rows = list_rows(folder, text([*ONE_HOT, ("images/0.jpg", "0.4", "0.6")]), **section)
    assert rows[-1].problem == "'0.4' in column 'cat', which should be 0 or 1"


def write_jsonl(folder):
    lines = [json.dumps(dict(zip(PLAIN[0], row, strict=True)) | {"n": 1}) for row in PLAIN[1:]]
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n\n")


def write_parquet(folder):
    columns = dict(zip(PLAIN[0], zip(*PLAIN[1:], strict=True), strict=True))
    pq.write_table(pa.table({**columns, "n": [1] * 4}), folder / "metadata.parquet")


@pytest.mark.parametrize(("kind", "write"), [("jsonl", write_jsonl), ("parquet", write_parquet)])
def test_other_tables_are_read(folder, kind, write):
    write(folder)
    rows = list_rows(folder, format=kind, metadata_columns=("n",))
    assert pairs(rows) == PLAIN[1:]
    assert {row.metadata for row in rows} == {("1",)}
    with pytest.raises(DataError, match=r"data\.group_column: .* has no column 'who'; it has: im"):
        list_rows(folder, format=kind, group_column="who")


@pytest.mark.parametrize("image", [{"bytes": b"x", "path": "0.jpg"}, b"x"])
def test_images_within_a_parquet_file_are_refused(folder, image):
    table = pa.table({"image": [image] * 2, "label": [0, 1]})
    pq.write_table(table, folder / "metadata.parquet")
    with pytest.raises(DataError, match=r"data\.image_column: 'image' of .* holds the images"):
        list_rows(folder, format="parquet", image_column="image")


@pytest.mark.parametrize(
    ("line", "said"),
    [("[1]", "list instead of an object"), ("{", "Expecting"), ("\xff", "Expecting value")],
)
def test_a_line_that_is_no_object_is_refused(folder, line, said):
    write_jsonl(folder)
    with (folder / "metadata.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(DataError, match=r"data\.jsonl_file: 'metadata\.jsonl', line 6: ") as caught:
        list_rows(folder, format="jsonl")
    assert said in str(caught.value)


def test_several_labels_in_json_are_refused_by_name(folder):
    (folder / "metadata.jsonl").write_text(
        "".join(json.dumps({"image_path": p, "label": [x, "pet"]}) + "\n" for p, x in PLAIN[1:])
    )
    with pytest.raises(DataClassesError, match=r"'cat\|pet' reads as several labels"):
        list_rows(folder, format="jsonl")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"format": "parquet", "parquet_file": "labels.csv"}, "is no Parquet file"),
        ({"csv_file": "bad.csv.gz"}, "cannot be unpacked"),
        ({"csv_file": "cut.csv.gz"}, "cannot be unpacked"),
    ],
)
def test_files_of_another_kind_are_refused(folder, section, said):
    (folder / "labels.csv").write_text(text())
    (folder / "bad.csv.gz").write_text(text())
    (folder / "cut.csv.gz").write_bytes(gzip.compress(text().encode())[:-9])
    with pytest.raises(DataError, match=said):
        list_rows(folder, **section)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"delimiter": ";;"}, "give one character"),
        ({"delimiter": "\n"}, "give one character"),
        ({"encoding": "latin-eins"}, "no encoding that Python knows"),
        ({"path_pattern": "("}, "no regular expression"),
        ({"path_pattern": ".*"}, "should have the group"),
        ({"eval_fraction": 0.6, "test_fraction": 0.4}, "nothing to train on"),
        ({"split_column": "a", "split_files": {"train": "a.csv"}}, "keep one"),
        ({"format": "folders", "split_column": "a"}, "split_column: columns, which format folders"),
        ({"path_pattern": "(?P<label>.*)"}, "path_pattern reads class folders"),
    ],
)
def test_settings_that_cannot_be_are_refused(section, said):
    with pytest.raises(ValueError, match=said):
        DataConfig(path="data", **section)
