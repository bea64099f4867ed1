"""A run looks at its data once: one listing, and each image read by no more than who needs it."""

import tracemalloc
from collections import Counter

import pytest

from darkroom import pipeline
from darkroom.components.image_example_gen.check import check
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet, keep_open, open_data
from darkroom.components.image_example_gen.fingerprint import fingerprint
from darkroom.tests.components.image_example_gen.test_executor import ingest
from darkroom.tests.file_access import counted_reads
from darkroom.tests.images import encode, pixels
from darkroom.tests.workspace import Workspace

NAMES = [f"{'ab'[n % 2]}/{'deep/' * (n % 3)}{n}.png" for n in range(12)]
URI = "s3://bucket/data"


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(NAMES):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(pixels(seed=number)))
    rows = "".join(f"{name},{name[0]}\n" for name in NAMES)
    (tmp_path / "data/labels.csv").write_text("image_path,label\n" + rows)
    return tmp_path / "data"


@pytest.fixture
def stored(bucket, folder):
    for path in folder.rglob("*.*"):
        name = path.relative_to(folder).as_posix()
        bucket.put("bucket", f"data/{name}", path.read_bytes())
    return bucket


def listings(server):
    return sum("list-type=2" in request for request in server.requests)


def gets(server):
    """Requests for content by the object's name."""
    paths = [r.split()[1].rstrip("?") for r in server.requests if r.startswith("GET ")]
    return Counter(path.removeprefix("/bucket/data/") for path in paths if "list-type" not in path)


def check_and_ingest(config, output):
    """What the start of a run and ImageExampleGen do in one process."""
    with keep_open(config):
        check(config)
        ingest(config, output, fingerprint(config))


@pytest.mark.parametrize("data_format", ["csv", "folders"])
def test_a_folder_is_walked_once_and_an_image_read_twice(folder, tmp_path, data_format):
    with counted_reads(folder) as counts:
        check_and_ingest(DataConfig(path=folder, format=data_format), tmp_path / "out")
    assert {name: counts[name] for name in NAMES} == dict.fromkeys(NAMES, 2), (
        "by the fingerprint and by the ingest"
    )
    listed = {name: count for name, count in counts.items() if name == "." or name[-1] in "abp"}
    walked = ["a", "a/deep", "a/deep/deep", "b", "b/deep", "b/deep/deep", "."]
    assert listed == (dict.fromkeys(walked, 1) if data_format == "folders" else {})


@pytest.mark.parametrize("data_format", ["csv", "folders"])
def test_a_bucket_is_listed_once_and_each_object_read_once(stored, tmp_path, data_format):
    check_and_ingest(DataConfig(path=URI, format=data_format), tmp_path / "out")
    assert listings(stored) == 1
    found = gets(stored)
    # The CSV's rows decide what is copied, so that it is read before the copy is made.
    assert found.pop("labels.csv", 0) == (2 if data_format == "csv" else 0)
    assert found == dict.fromkeys(NAMES, 1)


def test_a_step_on_its_own_lists_once(stored, tmp_path):
    ingest(DataConfig(path=URI), tmp_path / "out", fingerprint="")
    assert listings(stored) == 1


@pytest.mark.e2e
def test_a_run_lists_its_bucket_once(stored, tmp_path):
    workspace = Workspace(tmp_path / "digits", per_class=1)
    stored.put("bucket", "data/a/broken.png", b"no image")
    section = {"path": URI, "format": "folders", "metadata_columns": [], "max_quarantined": 0}
    summary = pipeline.run(workspace.recipe(data=section), "recipe.yaml")
    assert summary["components"][-1]["name"] == "DataGate", "which stopped the run"
    assert listings(stored) == 1


def test_what_comes_later_is_listed_anew(folder):
    config = DataConfig(path=folder, format="folders")
    with keep_open(config):
        assert check(config).rows == len(NAMES)
        assert open_data(config) is open_data(config.model_copy(update={"max_quarantined": 0.9}))
        assert open_data(config) is not open_data(DataConfig(path=folder))
        (folder / "a/new.png").write_bytes(b"new")
        assert check(config).rows == len(NAMES), "all answers are about one moment"
    assert check(config).rows == len(NAMES) + 1


def test_the_ingest_lets_go_of_the_listing(folder, tmp_path):
    config = DataConfig(path=folder, format="folders")
    with keep_open(config):
        shared = open_data(config)
        ingest(config, tmp_path / "out")
        assert open_data(config) is not shared


def test_the_rows_of_a_csv_are_read_one_by_one(folder):
    (folder / "labels.csv").write_text(
        "image_path,label\n" + "".join(f"images/{n}.png,{n % 10}\n" for n in range(100_000))
    )
    data = DataSet(DataConfig(path=folder))
    tracemalloc.start()
    try:
        assert sum(1 for _ in data.list_rows()) == 100_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500_000, "the file has 2 MB"
