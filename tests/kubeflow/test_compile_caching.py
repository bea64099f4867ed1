"""What Kubeflow's cache is told of code and files, and where it is told not to look."""

import pytest

from darkroom.components.source import SourceTree
from darkroom.kubeflow.compile import compile_recipe
from darkroom.tests.workspace import Workspace
from darkroom.trainer.backbones import LETTERS_FILE


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, per_class=1)


def tasks(recipe):
    compiled = compile_recipe(recipe, "image", "s3://bucket/root", fingerprinted=True)
    return compiled.specification["root"]["dag"]["tasks"]


def constant(task, name):
    return task["inputs"]["parameters"][name]["runtimeValue"]["constant"]


def test_weights_and_schema_overwritten_make_their_steps_others(workspace):
    weights, schema = workspace.folder / "my.weights.h5", workspace.folder / "schema.pbtxt"
    weights.write_bytes(b"one")
    schema.write_text("one")
    recipe = workspace.recipe(
        trainer={"weights": str(weights)}, validation={"schema_path": str(schema)}
    )
    before = tasks(recipe)
    weights.write_bytes(b"two")
    schema.write_text("two")
    after = tasks(recipe)
    different = {name for name in before if before[name] != after[name]}
    assert different == {"trainer", "import-schema-gen"}
    assert after["trainer"]["cachingOptions"] == {"enableCache": True}


def test_code_is_in_the_parameters_of_its_steps(workspace):
    found = tasks(workspace.recipe())
    tree = SourceTree()
    for name, function in (
        ("trainer", "darkroom.trainer.run"),
        ("transform", "darkroom.transform.preprocessing"),
        ("data-gate", "darkroom.components.data_gate.executor"),
        ("image-example-gen", "darkroom.components.image_example_gen.executor"),
    ):
        assert constant(found[name], "source") == tree.fingerprint([function])
    assert "source" not in found["statistics-gen"]["inputs"]["parameters"]


@pytest.mark.parametrize(
    ("trainer", "parameters", "cached"),
    [
        ({"weights": str(LETTERS_FILE)}, [], True),
        ({"weights": "/only/there.weights.h5"}, [], False),
        ({"weights": "letters"}, ["trainer.seed"], True),
        ({"weights": "letters"}, ["trainer.weights"], False),
        ({"weights": "letters"}, ["trainer"], False),
    ],
)
def test_weights_that_only_the_run_knows_are_never_from_the_cache(
    workspace, trainer, parameters, cached
):
    recipe = workspace.recipe(trainer=trainer, kubeflow={"parameters": parameters})
    assert bool(tasks(recipe)["trainer"]["cachingOptions"]) == cached
