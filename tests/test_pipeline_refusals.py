"""Bad recipes and data: one line, exit code 2, nothing written."""

import os
import shutil
import subprocess
import sys

import h5py
import pytest
import yaml

from darkroom import pipeline
from darkroom.storage.locks import locked
from darkroom.tests.workspace import Workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path, per_class=2)
    (workspace.data / "labels.weights.h5").write_text("image,label")
    with h5py.File(workspace.data / "dense.weights.h5", "w") as file:
        file.create_group("layers/dense/vars")["0"] = [[1.0]]
    return workspace


def one_class(workspace):
    table = workspace.data / "labels.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(line for line in lines if ",3," in line)]))


def one_image_per_class(workspace):
    table = workspace.data / "labels.csv"
    header, *lines = table.read_text().splitlines()
    table.write_text("\n".join([header, *{line.split(",")[1]: line for line in lines}.values()]))


def no_rows(workspace):
    (workspace.data / "labels.csv").write_text("image_path,label,source\n")


def no_folder(workspace):
    shutil.rmtree(workspace.data)


RECIPES = [
    ({"trainer": {"bakbone": "resnet50"}}, ["trainer.bakbone", "unknown key", "backbone"]),
    ({"extra": {}}, ["extra", "unknown key", "data, "]),
    ({"trainer": {"batch_size": "many"}}, ["trainer.batch_size", "'many'", "integer"]),
    ({"trainer": {"backbone": "resnet51"}}, ["trainer.backbone", "'resnet51'", "resnet50"]),
    ({"data": {"path": "nowhere"}}, ["data.path", "'nowhere'", "folder"]),
    ({"data": {"label_column": "klass"}}, ["data.label_column", "'klass'", "label"]),
    ({"data": {"eval_fraction": 1.5}}, ["data.eval_fraction", "1.5", "less than 1"]),
    ({"evaluation": {"slices": ["colour"]}}, ["evaluation.slices", "'colour'", "label"]),
    (
        {"evaluation": {"thresholds": {"accuracy": {"min": 70}}}},
        ["evaluation.thresholds.accuracy.min: 70 does not do", "from 0 to 1", "0.7 for 70 %"],
    ),
    ({"trainer": {"weights": "no.weights.h5"}}, ["trainer.weights: 'no.weights.h5'", "mobilenet"]),
    ({"trainer": {"weights": "data/labels.weights.h5"}}, ["trainer.weights", "no HDF5 file"]),
    ({"trainer": {"weights": "data/dense.weights.h5"}}, ["trainer.weights", "does not fit"]),
    ({"validation": {"fatal": ["SCHEMA_MISING_COLUMN"]}}, ["validation.fatal", "SCHEMA_MISSING"]),
    ({"validation": {"schema_path": "no.pbtxt"}}, ["validation.schema_path", "'no.pbtxt'"]),
]
DATA = [
    (no_folder, ["data.path", "folder"]),
    (no_rows, ["data.label_column", "no rows"]),
    (one_class, ["data.label_column", "only one class", "'3'", "two"]),
    (one_image_per_class, ["data.label_column", "fewer than 2 images", "add images"]),
]


def refuse(workspace, capsys, arguments):
    before = sorted(workspace.folder.rglob("*"))
    assert pipeline.main(arguments) == 2
    assert sorted(workspace.folder.rglob("*")) == before
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(("sections", "words"), RECIPES, ids=lambda value: str(value)[:40])
def test_a_bad_recipe_is_refused_in_one_line(workspace, capsys, sections, words):
    path = workspace.write_recipe(**sections)
    message = refuse(workspace, capsys, ["--config", str(path)])
    assert all(word in message for word in words), message


@pytest.mark.parametrize(("spoil", "words"), DATA)
def test_bad_data_is_refused_in_one_line(workspace, capsys, spoil, words):
    path = workspace.write_recipe()
    spoil(workspace)
    message = refuse(workspace, capsys, ["--config", str(path)])
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name: [", ["no YAML"]),
        ("- a list", ["sections", "list"]),
        ("", ["sections", "NoneType"]),
        ("name: Digits", ["name", "'Digits'"]),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(workspace, capsys, content, words):
    path = workspace.folder / "recipe.yaml"
    path.write_text(content)
    before = sorted(workspace.folder.rglob("*"))
    assert pipeline.main(["--config", str(path)]) == 2
    assert sorted(workspace.folder.rglob("*")) == before
    message = capsys.readouterr().err
    assert all(word in message for word in words), message


def test_a_missing_recipe_is_refused(workspace, capsys):
    message = refuse(workspace, capsys, ["--config", "absent.yaml"])
    assert "'absent.yaml'" in message


def test_a_second_run_is_refused_before_the_data_are_looked_at(workspace, capsys, monkeypatch):
    monkeypatch.delattr(pipeline, "check")
    path = workspace.write_recipe()
    (workspace.runs / "small").mkdir(parents=True)
    with locked(workspace.runs / "small" / ".lock"):
        before = sorted(workspace.folder.rglob("*"))
        assert pipeline.main(["--config", str(path)]) == 1
        assert sorted(workspace.folder.rglob("*")) == before
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith("error: another run of this pipeline is going on in ")


def test_the_recipe_is_found_by_option_then_variable(workspace, capsys, monkeypatch):
    by_variable = workspace.write_recipe(data={"path": "by-variable"})
    by_option = workspace.folder / "option.yaml"
    by_option.write_text(yaml.safe_dump(workspace.changed(data={"path": "by-option"})))
    monkeypatch.setenv(pipeline.CONFIG_VARIABLE, str(by_variable))
    assert "'by-variable'" in refuse(workspace, capsys, [])
    assert "'by-option'" in refuse(workspace, capsys, ["--config", str(by_option)])


def test_imagenet_without_network_is_refused_before_anything_runs(workspace):
    path = workspace.write_recipe(trainer={"weights": "imagenet"})
    before = sorted(workspace.folder.rglob("*"))
    # An empty cache of Keras', and a proxy on a closed port.
    environment = {
        **os.environ,
        "KERAS_HOME": str(workspace.folder.parent / "keras"),
        "https_proxy": "http://127.0.0.1:9",
    }
    root = pipeline.DEFAULT_CONFIG.parent.parent
    command = [sys.executable, "pipeline.py", "--config", str(path)]
    ended = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    message = ended.stderr.splitlines()[-1]
    for part in ("error: trainer.weights: imagenet", "could not be downloaded", "none"):
        assert part in message
    assert sorted(workspace.folder.rglob("*")) == before


def test_a_refusal_does_not_wait_for_tensorflow(workspace):
    path = workspace.write_recipe(data={"path": "nowhere"})
    code = (
        "import sys, pipeline; code = pipeline.main(['--config', sys.argv[1]]);"
        "sys.exit(10 if 'tensorflow' in sys.modules or 'tfx' in sys.modules else code)"
    )
    root = pipeline.DEFAULT_CONFIG.parent.parent
    command = [sys.executable, "-c", code, str(path)]
    result = subprocess.run(command, cwd=root, capture_output=True, check=False)
    assert result.returncode == 2
