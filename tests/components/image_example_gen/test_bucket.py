import subprocess
import sys
import threading
import time

import pytest

from darkroom.components.image_example_gen.check import check
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet
from darkroom.components.image_example_gen.errors import DataClassesError, DataLocationError
from darkroom.components.image_example_gen.fingerprint import fingerprint
from darkroom.components.image_example_gen.quarantine import read_rows
from darkroom.recipe import ConfigError, parse_recipe
from darkroom.storage.object_store import scratch_copy, upload_folder, write_bytes
from darkroom.tests.components.image_example_gen.test_executor import ingest, read_examples
from darkroom.tests.images import encode, pixels
from darkroom.transform.features import IMAGE_PATH

URI = "s3://bucket/data"
LITTER = [".hidden/1.png", "b/.DS_Store", "b/Thumbs.db", "beside.txt"]


@pytest.fixture
def local(bucket, tmp_path):
    """A folder that does for both formats, which lies in the bucket too."""
    folder = tmp_path / "data"
    images = [f"{'äb'[n % 2]}/{n}.png" for n in range(12)] + ["b/deep/1.png", "b/Z.png"]
    for number, name in enumerate([*images, *LITTER]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode(pixels(seed=number)))
    (folder / "b/3.png").write_bytes(b"no image")
    lines = [f"{name},{name[0]}" for name in images]
    lines += ["./b/../b/1.png,b", "absent.png,b", "../data/b/1.png,b"]
    (folder / "labels.csv").write_text("image_path,label\n" + "\n".join(lines) + "\n")
    upload_folder(folder, URI)
    bucket.requests.clear()
    return folder


def gets(server):
    return [request for request in server.requests if "bytes=" in request]


@pytest.mark.parametrize("data_format", ["csv", "folders"])
def test_stored_data_are_the_same_as_local_ones(bucket, local, tmp_path, data_format):
    here = DataConfig(path=local, format=data_format, eval_fraction=0.5)
    there = DataConfig(path=URI, format=data_format, eval_fraction=0.5)
    assert check(there) == check(here)
    assert list(DataSet(there).list_rows()) == list(DataSet(here).list_rows())
    assert gets(bucket) == [], "nothing was downloaded but the CSV"
    examples, quarantine = ingest(there, tmp_path / "there", fingerprint="")
    expected, set_aside = ingest(here, tmp_path / "here")

    def sort(artifact):
        return {
            split: sorted(found, key=lambda example: example[IMAGE_PATH])
            for split, found in read_examples(artifact).items()
        }

    assert sort(examples) == sort(expected)
    assert read_rows(quarantine.uri) == read_rows(set_aside.uri)
    bucket.requests.clear()
    ingest(there, tmp_path / "again")
    assert gets(bucket) == [], "the images are there already"


@pytest.mark.parametrize("data_format", ["csv", "folders"])
def test_the_fingerprint_sees_changes_without_a_download(bucket, local, data_format):
    config = DataConfig(path=URI, format=data_format)
    before = fingerprint(config)
    write_bytes(f"{URI}/.hidden/2.png", b"passed over")
    assert fingerprint(config) == before
    write_bytes(f"{URI}/b/5.png", (local / "b/5.png").read_bytes()[::-1])
    changed = fingerprint(config)
    (local / "b/7.png").unlink()
    upload_folder(local, URI)
    assert len({before, changed, fingerprint(config)}) == 3
    assert gets(bucket) == []


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"path": "s3://nowhere/data"}, ["data.path", "no bucket 'nowhere'"]),
        ({"path": "s3://bucket/absent"}, ["data.path", "s3://bucket/absent", "nothing"]),
        ({"path": URI, "csv_file": "table.csv"}, ["data.csv_file", "'table.csv'", URI]),
        ({"path": URI, "label_column": "class"}, ["data.label_column", "'class'"]),
    ],
)
def test_what_is_not_there_is_one_line(local, section, said):
    with pytest.raises(DataLocationError) as caught:
        check(DataConfig(**section))
    assert "\n" not in str(caught.value)
    assert all(part in str(caught.value) for part in said)


def test_a_bucket_with_one_class_is_refused(bucket):
    write_bytes(f"{URI}/a/1.png", b"1")
    with pytest.raises(DataClassesError, match=r"'s3://bucket/data' has only one class, 'a'"):
        check(DataConfig(path=URI, format="folders"))


@pytest.mark.parametrize("name", ["a//9.png", "/stray.png", "a/b?versionId=7.png"])
def test_images_that_no_copy_can_have_are_refused(bucket, local, name):
    bucket.put("bucket", f"data/{name}", b"x")
    config = DataConfig(path=URI, format="folders")
    for look in (check, fingerprint):
        with pytest.raises(DataLocationError, match=r"data\.path: .*rename it"):
            look(config)


def test_the_csv_may_be_named_with_a_dot(local):
    here = DataConfig(path=local, csv_file="./labels.csv")
    there = DataConfig(path=URI, csv_file="./labels.csv")
    assert check(there) == check(here)
    assert fingerprint(there)
    with DataSet(there).on_disk() as copied:
        assert len(list(DataSet(copied).list_rows())) == 17


def test_a_csv_that_changes_while_it_is_read_is_refused(bucket, local):
    data = DataSet(DataConfig(path=URI))
    list(data.list_rows())
    write_bytes(f"{URI}/labels.csv", (local / "labels.csv").read_bytes().replace(b"png", b"gif"))
    said = r"data\.csv_file: 'labels\.csv' in 's3://bucket/data' changed.*run again"
    with pytest.raises(DataLocationError, match=said):
        data.on_disk().__enter__()


def test_the_rows_are_read_when_the_copy_is_free(bucket, local):
    data = DataSet(DataConfig(path=URI))
    waiting = threading.Event()
    found = []

    def follow():
        waiting.set()
        with data.on_disk() as copied:
            found.append((copied.path / "b/new.png").is_file())

    thread = threading.Thread(target=follow)
    with scratch_copy(URI):
        thread.start()
        assert waiting.wait(20)
        time.sleep(0.5)
        added = (local / "labels.csv").read_bytes() + b"b/new.png,b\n"
        write_bytes(f"{URI}/b/new.png", b"new")
        write_bytes(f"{URI}/labels.csv", added)
    thread.join(60)
    assert found == [True]


def test_a_scheme_that_nobody_knows_is_refused_by_the_recipe():
    with pytest.raises(ConfigError, match=r"data\.path: .*'ftp'.*use s3://, gs://, minio://"):
        parse_recipe({"name": "x", "data": {"path": "ftp://host/data"}})


def test_a_disk_that_is_full_is_one_line(bucket, local, tmp_path):
    script = (
        "import resource, sys\n"
        "from darkroom.components.image_example_gen.config import DataConfig\n"
        "from darkroom.components.image_example_gen.data_set import DataSet\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "data = DataSet(DataConfig(path=sys.argv[1], format='folders'))\n"
        "try:\n"
        "    with data.on_disk(): pass\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", script, URI]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("DataLocationError data.path: cannot copy to")
    assert "DARKROOM_SCRATCH" in said
    assert said.count("\n") == 1


def test_local_data_import_no_object_store_client():
    script = (
        "import sys, darkroom.components.image_example_gen.fingerprint\n"
        "import darkroom.components.pusher.config\n"
        "import darkroom.storage.versions.place\n"
        "assert not {'fsspec', 's3fs', 'gcsfs', 'botocore', 'tensorflow', 'tfx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
