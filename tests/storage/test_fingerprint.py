import os
import shutil

import pytest

from darkroom.storage.fingerprint import model_digest


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(b"weights")
    return folder


def test_copies_and_times_do_not_change_a_digest(model, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    os.utime(copy / "saved_model.pb", (0, 0))
    assert model_digest(copy) == model_digest(model)


def test_warm_up_requests_do_not_change_a_digest(model):
    before = model_digest(model)
    (model / "assets.extra").mkdir()
    (model / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"requests")
    assert model_digest(model) == before


@pytest.mark.parametrize("change", ["content", "name", "more", "boundary"])
def test_any_other_change_changes_it(model, change):
    before = model_digest(model)
    data = model / "variables" / "data"
    if change == "content":
        data.write_bytes(b"Weights")
    elif change == "name":
        data.rename(data.with_name("other"))
    elif change == "more":
        (model / "assets").mkdir()
        (model / "assets" / "labels").touch()
    else:
        data.write_bytes(b"eights")
        (model / "saved_model.pb").write_bytes(b"graphw")
    assert model_digest(model) != before
