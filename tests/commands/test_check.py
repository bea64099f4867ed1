"""What `darkroom check` says of data, before anything is trained."""

import json

import numpy as np
import pytest
import yaml

from darkroom.commands.main import main
from darkroom.tests.commands.test_command_line import imported_by
from darkroom.tests.images import encode, pixels
from darkroom.tests.workspace import Workspace


@pytest.fixture
def place(tmp_path):
    """Two classes of thirty images, and what is odd."""
    folder = tmp_path / "data"
    for number in range(60):
        path = folder / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(pixels(seed=number)))
    return tmp_path


def check(place, capsys, **data):
    content = Workspace(place / "workspace", per_class=1).content
    content["data"] = {"path": str(place / "data"), "format": "folders", **data}
    recipe = place / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(content))
    code = main(["check", str(recipe), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_sound_data_have_their_counts_and_no_warning(place, capsys):
    code, found = check(place, capsys)
    assert code == 0
    assert (found["rows"], found["error"]) == (60, None)
    assert found["rejected"] == found["warnings"] == []
    assert set(found["classes"]) == {"cat", "dog"}
    assert sum(sum(splits.values()) for splits in found["classes"].values()) == 60
    assert all(set(splits) == {"train", "eval", "test"} for splits in found["classes"].values())


def test_what_is_rejected_is_named_with_its_reason(place, capsys):
    (place / "data/cat/broken.png").write_bytes(b"no image")
    code, found = check(place, capsys)
    assert code == 0 and found["rows"] == 61
    (rejected,) = found["rejected"]
    assert (rejected["path"], rejected["reason"]) == ("cat/broken.png", "not_an_image")
    assert rejected["detail"]


@pytest.mark.parametrize(
    ("files", "code", "message", "paths"),
    [
        ({"cat/again.png": 0}, "duplicate", "1 image is there", {"cat/again.png", "cat/0.png"}),
        (
            {"dog/0.png": 0},
            "conflicting_labels",
            "labelled 'cat' and 'dog'",
            {"dog/0.png", "cat/0.png"},
        ),
        ({f"Cat/{n}.png": 100 + n for n in range(30)}, "label_spelling", "'Cat' and 'cat'", set()),
        ({f"rat/{n}.png": 200 + n for n in range(4)}, "few_images", "'rat' has only", set()),
        ({f"cat/bad{n}.png": None for n in range(3)}, "lossy_class", "'cat' loses 3 of 33", set()),
    ],
)
def test_what_is_odd_is_a_warning(place, capsys, files, code, message, paths):
    for name, seed in files.items():
        path = place / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no image" if seed is None else encode(pixels(seed=seed)))
    _, found = check(place, capsys, split_salt="a")
    (warning,) = (each for each in found["warnings"] if each["code"] == code)
    assert message in warning["message"]
    assert set(warning["paths"]) == paths


def test_greys_of_sixteen_bits_that_are_nearly_black_are_named(place, capsys):
    twelve_bits = np.linspace(0, 4095, 400).astype(np.uint16).reshape(20, 20)
    (place / "data/cat/dark.tif").write_bytes(encode(twelve_bits, "TIFF"))
    (place / "data/cat/bright.tif").write_bytes(encode(twelve_bits * 16, "TIFF"))
    _, found = check(place, capsys)
    (warning,) = found["warnings"]
    assert (warning["code"], warning["paths"]) == ("dark_16_bit", ["cat/dark.tif"])
    assert "transform.stretch_16_bit" in warning["message"]


def test_a_class_that_is_not_in_a_split_is_named(place, capsys):
    (place / "data/rat").mkdir()
    for number in (1, 2):
        (place / f"data/rat/{number}.png").write_bytes(encode(pixels(seed=300)))
    _, found = check(place, capsys)
    assert "missing_from_split" in {each["code"] for each in found["warnings"]}


def test_what_a_run_would_refuse_is_the_error_and_the_exit_code(place, capsys):
    for number in range(10):
        (place / f"data/cat/bad{number}.png").write_bytes(b"no image")
    code, found = check(place, capsys)
    assert code == 2
    assert found["error"].startswith("data.max_quarantined: 10 of 70 rows (14.3%) are unusable")
    assert len(found["rejected"]) == 10
    code, found = check(place, capsys, path=str(place / "absent"))
    assert code == 2 and found["error"].startswith("data.path: ")
    assert (found["rows"], found["classes"]) == (0, {})


def test_people_get_a_table(place, capsys):
    (place / "data/cat/again.png").write_bytes(encode(pixels(seed=0)))
    check(place, capsys)
    assert main(["check", str(place / "recipe.yaml")]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].split() == ["class", "train", "eval"]
    assert "61 rows, 0 rejected" in shown
    assert (
        "warning   1 image is there more than once: cat/0.png, cat/again.png (duplicate)" in shown
    )


def test_checking_imports_no_tensorflow(place, capsys):
    check(place, capsys)
    assert imported_by("check", place / "recipe.yaml", cwd=place) == "[]"
