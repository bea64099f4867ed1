import os
import shutil

import pytest

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.fingerprint import fingerprint


@pytest.fixture(params=["csv", "folders"])
def config(request, tmp_path):
    folder = tmp_path / "data"
    for number in range(150):
        path = folder / f"{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content %d" % number)
    rows = "".join(f"{'ab'[n % 2]}/{n}.png,{'ab'[n % 2]}\n" for n in range(150))
    (folder / "labels.csv").write_text("image_path,label\n" + rows + "../out.png,a\n")
    return DataConfig(path=folder, format=request.param)


def test_it_depends_on_contents_and_not_on_times_or_place(config, tmp_path, monkeypatch):
    before = fingerprint(config)
    assert len(before) == 64
    os.utime(config.path / "a/0.png", (1, 1))
    shutil.copytree(config.path, tmp_path / "copy")
    assert fingerprint(config) == before
    assert fingerprint(config.model_copy(update={"path": tmp_path / "copy"})) == before
    monkeypatch.chdir(tmp_path)
    assert fingerprint(DataConfig(path="data", format=config.format)) == before


@pytest.mark.parametrize("number", [0, 63, 64, 149])
def test_one_changed_byte_is_seen(config, number):
    before = fingerprint(config)
    path = config.path / f"{'ab'[number % 2]}/{number}.png"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert fingerprint(config) != before


def test_files_that_come_and_go_are_seen(config):
    seen = {fingerprint(config)}
    content = (config.path / "a/0.png").read_bytes()
    (config.path / "a/0.png").unlink()
    seen.add(fingerprint(config))
    (config.path / "a/0.png").touch()
    seen.add(fingerprint(config))
    assert len(seen) == 3
    (config.path / "a/0.png").write_bytes(content)
    assert fingerprint(config) in seen


def test_swapped_images_are_seen(config):
    before = fingerprint(config)
    (config.path / "a/0.png").rename(config.path / "t")
    (config.path / "a/2.png").rename(config.path / "a/0.png")
    (config.path / "t").rename(config.path / "a/2.png")
    assert fingerprint(config) != before


def test_an_edited_label_is_seen(config):
    before = fingerprint(config)
    if config.format == "csv":
        text = (config.path / "labels.csv").read_text()
        (config.path / "labels.csv").write_text(text.replace("0.png,a", "0.png,b", 1))
    else:
        (config.path / "a/0.png").rename(config.path / "b/0.png")
    assert fingerprint(config) != before
