"""A further source is one class and one entry: here one that holds the images itself."""

import io
import tarfile

import pytest

from darkroom.components.image_example_gen.check import check
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.errors import DataClassesError
from darkroom.components.image_example_gen.fingerprint import fingerprint
from darkroom.components.image_example_gen.quarantine import read_rows
from darkroom.components.image_example_gen.sources import SOURCES
from darkroom.components.image_example_gen.sources.source import Row, Source
from darkroom.storage.object_store import upload_folder
from darkroom.tests.components.image_example_gen.test_executor import ingest, read_examples
from darkroom.tests.images import encode, pixels
from darkroom.transform.features import IMAGE_PATH, LABEL

IMAGES = {f"{'ab'[n % 2]}/{n}.png": encode(pixels(seed=n)) for n in range(8)}


class TarSource(Source):
    """An archive, whose members lie in folders named as their class."""

    label_field = image_field = "data.path"
    class_remedy = "put two folders into the archive"
    files = ("images.tar",)

    def list_rows(self):
        with self._place.open("images.tar", "data.path") as file, tarfile.open(fileobj=file) as tar:
            for number, member in enumerate(tar, start=1):
                yield Row(number, member.name, member.name.partition("/")[0])

    def has_image(self, row):
        return True

    @classmethod
    def read_image(cls, row, root):
        with tarfile.open(root / "images.tar") as tar:
            return tar.extractfile(row.image_path).read()


def write_tar(path, images):
    with tarfile.open(path, "w") as tar:
        for name, content in images.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.fixture(params=["here", "in a bucket"])
def data(request, tmp_path, monkeypatch):
    """The path of a folder with an archive, and what writes another archive there."""
    monkeypatch.setitem(SOURCES, "tar", TarSource)
    folder = tmp_path / "data"
    folder.mkdir()
    if request.param == "here":
        return folder, lambda images: write_tar(folder / "images.tar", images)
    request.getfixturevalue("bucket")

    def write(images):
        write_tar(folder / "images.tar", images)
        upload_folder(folder, "s3://bucket/data")

    return "s3://bucket/data", write


def test_it_is_checked_identified_and_ingested_in_either_place(data, tmp_path):
    path, write = data
    write({**IMAGES, "a/broken.png": b"no image"})
    config = DataConfig(path=path, format="tar")
    assert check(config)[:2] == (9, {"a": 5, "b": 4})
    examples, quarantine = ingest(config, tmp_path / "out", fingerprint(config))
    written = [example for split in read_examples(examples).values() for example in split]
    assert {e[IMAGE_PATH].decode(): e[LABEL].decode() for e in written} == {
        name: name[0] for name in IMAGES
    }
    assert [line.reason for line in read_rows(quarantine.uri)] == ["not_an_image"]
    before = fingerprint(config)
    write(IMAGES)
    assert fingerprint(config) != before


def test_its_refusals_are_in_its_own_words(data):
    path, write = data
    write({"a/1.png": b"1", "a/2.png": b"2"})
    with pytest.raises(DataClassesError, match=r"data\.path: .* put two folders into the archive"):
        check(DataConfig(path=path, format="tar"))


def test_a_format_that_nobody_knows_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match="'xlsx' does not do: input should be 'csv' or 'folder"):
        DataConfig(path="data", format="xlsx")
