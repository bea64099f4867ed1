"""Archives are data folders too, as far as they can be trusted."""

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from darkroom.components.image_example_gen.check import check
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet
from darkroom.components.image_example_gen.errors import DataError, DataLocationError
from darkroom.components.image_example_gen.fingerprint import fingerprint
from darkroom.components.image_example_gen.inspection import inspect
from darkroom.components.image_example_gen.places import archive
from darkroom.tests.images import encode, pixels

IMAGES = {f"{'ab'[n % 2]}/{n}.png": encode(pixels(seed=n)) for n in range(8)}
TABLE = "image_path,label\n" + "".join(f"{name},{name[0]}\n" for name in IMAGES)
KINDS = ("x.zip", "x.tar", "x.tar.gz", "x.TGZ")


def pack(path, files):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return path
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """An empty folder for what is unpacked."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_class_folders_are_read_and_what_was_unpacked_is_removed(tmp_path, temporary, name):
    clutter = {"w/a/.DS_Store": b"", "__MACOSX/w/a/._0.png": b"", "w/a/0.json": b"{}"}
    files = {f"w/{path}": content for path, content in IMAGES.items()}
    path = pack(tmp_path / name, files | clutter | {"w/b/bad.png": b"no image"})
    config = DataConfig(path=path, format="folders")
    assert check(config)[:2] == (9, {"a": 4, "b": 5})
    found = inspect(config)
    assert found.summary().examples == 8
    assert [(row.image_path, row.reason) for row in found.rejected] == [
        ("w/b/bad.png", "not_an_image")
    ]
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", KINDS)
def test_a_table_within_is_read(tmp_path, name):
    table = TABLE.replace("/", "\\").replace(".png", ".PNG")
    path = pack(tmp_path / name, {**IMAGES, "labels.csv": table.encode(), "c/other.png": b"x"})
    config = DataConfig(path=path)
    assert check(config)[:2] == (8, {"a": 4, "b": 4})
    with DataSet(config).on_disk() as local:
        unpacked = {p.relative_to(local.path).as_posix() for p in Path(local.path).rglob("*.*")}
        assert unpacked == {*IMAGES, "labels.csv"}, "and nothing that no row needs"
        assert list(DataSet(local).list_rows()) == list(DataSet(config).list_rows())


@pytest.mark.parametrize("name", KINDS)
def test_a_changed_member_changes_the_fingerprint(tmp_path, name):
    config = DataConfig(path=pack(tmp_path / name, IMAGES), format="folders")
    before = fingerprint(config)
    assert fingerprint(config) == before
    pack(tmp_path / name, {**IMAGES, "a/0.png": encode(pixels(seed=99))})
    assert fingerprint(config) != before


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("member", ["../out.png", "/etc/out.png", "a/../../out.png", "..\\out.png"])
def test_names_that_lead_out_are_refused(tmp_path, name, member):
    if "\\" in member and not name.endswith(".zip"):
        return
    path = pack(tmp_path / name, {**IMAGES, member: b"x"})
    with pytest.raises(DataLocationError, match="leads out of the folder"):
        check(DataConfig(path=path, format="folders"))


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_what_unpacks_without_end_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, name):
    monkeypatch.setattr(archive, "_ALLOWANCE", 2**20)
    path = pack(tmp_path / name, {**IMAGES, "a/bomb.png": bytes(2**24)})
    with pytest.raises(DataLocationError, match=r"unpacks to more than \d+ bytes, 100 times"):
        check(DataConfig(path=path, format="folders"))


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_archive_is_one_line(tmp_path, name):
    path = pack(tmp_path / name, IMAGES)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match=r"data\.path: .*cannot be unpacked") as caught:
        check(DataConfig(path=path, format="folders"))
    assert "\n" not in str(caught.value)


def test_an_archive_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataLocationError, match=r"archive '.*x\.zip' does not exist"):
        check(DataConfig(path=tmp_path / "x.zip", format="folders"))


def test_links_within_an_archive_are_no_files(tmp_path):
    path = pack(tmp_path / "x.tar", IMAGES)
    with tarfile.open(path, "a") as packed:
        link = tarfile.TarInfo("a/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
    assert check(DataConfig(path=path, format="folders")).rows == 8
