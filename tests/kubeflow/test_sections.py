"""Each field of the recipe that reaches a node can be given to it by a parameter."""

import json

import pytest

from darkroom.components.nodes import NODES
from darkroom.kubeflow.parameters import list_parameters
from darkroom.kubeflow.values import put_value, put_values
from darkroom.pipeline import InputState, create_pipeline
from darkroom.recipe import parse_recipe
from darkroom.tests.workspace import Workspace

CHANGES = {
    "data.path": "/elsewhere",
    "data.csv_file": "other.csv",
    "data.jsonl_file": "other.jsonl",
    "data.parquet_file": "other.parquet",
    "data.delimiter": ";",
    "data.encoding": "cp1252",
    "data.include": ["*.png"],
    "data.exclude": ["a/*"],
    "data.newest_spans": 2,
    "data.skip_unlabelled": True,
    "data.image_prefix": "images/",
    "data.image_suffix": ".png",
    "data.one_hot_columns": ["a", "b"],
    "data.empty_labels": [],
    "data.split_column": "part",
    "data.test_fraction": 0.1,
    "data.read_truncated": True,
    "data.image_column": "file",
    "data.label_column": "class",
    "data.group_column": "block",
    "data.eval_fraction": 0.3,
    "data.split_salt": "another",
    "data.min_class_images": 1,
    "data.max_quarantined": 0.5,
    "validation.fatal": ["INT_TYPE_BIG_INT"],
    "validation.fatal_features": ["label"],
    "transform.image_height": 96,
    "transform.image_width": 96,
    "transform.resize": "crop",
    "transform.background": "#000000",
    "transform.stretch_16_bit": True,
    "trainer.weights": "none",
    "trainer.head": "sigmoid",
    "trainer.dropout": 0.3,
    "trainer.label_smoothing": 0.1,
    "trainer.batch_size": 16,
    "trainer.seed": 7,
    "trainer.augmentation.rotation": 3.5,
    "trainer.augmentation.translation": 0.1,
    "trainer.augmentation.zoom": 0.1,
    "trainer.augmentation.horizontal_flip": True,
    "trainer.augmentation.brightness": 0.1,
    "trainer.augmentation.contrast": 0.1,
    "trainer.augmentation.shear": 5.0,
    "trainer.augmentation.saturation": 0.1,
    "trainer.augmentation.hue": 0.05,
    "trainer.augmentation.random_erasing": 0.2,
    "trainer.augmentation.mixup": 0.2,
    "trainer.augmentation.cutmix": 0.2,
    "trainer.head_epochs": 2,
    "trainer.head_learning_rate": 0.5,
    "trainer.fine_tune_epochs": 3,
    "trainer.fine_tune_learning_rate": 0.5,
    "trainer.fine_tune_fraction": 0.5,
    "trainer.freeze_batch_norm": False,
    "trainer.batch_norm_momentum": 0.5,
    "trainer.weight_average": 0.5,
    "trainer.early_stopping_patience": 3,
    "trainer.cache_images": "disk",
    "trainer.image_memory_mb": 100,
    "evaluation.thresholds.accuracy.min": 0.75,
    "evaluation.thresholds.accuracy.max": 0.99,
    "evaluation.thresholds.accuracy.min_improvement": 0.01,
    "evaluation.slices": ["source"],
    "push.destination": "/elsewhere",
    "push.model_name": "other",
    "push.warmup_batch_sizes": [1],
}
"""Field to another value than the recipe's."""
ELSEWHERE = {"data.format", "data.path_pattern", "trainer.backbone", "trainer.alpha"}
"""Fields that cannot change alone, each within a section that others are in."""
NO_NODES = ("version", "name", "runs_folder", "beam_pipeline_args", "kubeflow")
GIVEN = {
    "data": {"group_column": "source", "split_column": "source"},
    "evaluation": {"thresholds": {"accuracy": {"min": 0.5, "max": 1.0, "min_improvement": 0.0}}},
}
"""A field that is null is no parameter."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("sections"), per_class=1)


def leaves(content, above=()):
    for key, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield ".".join((*above, key))


def properties(recipe):
    """Node to its execution properties."""
    nodes = create_pipeline(recipe, InputState(), "artifacts").components
    return {node.id: dict(node.exec_properties) for node in nodes}


def read(values):
    """With the JSON read; the digest of the weights is no field."""
    found = {}
    for name, value in values.items():
        try:
            found[name] = json.loads(value)
        except (TypeError, ValueError):
            found[name] = value
    found.pop("content", None)
    return found


def test_every_field_is_looked_at(workspace):
    fields = set(leaves(workspace.recipe(**GIVEN).model_dump(mode="json")))
    inside = {field for field in fields if field.split(".")[0] not in NO_NODES}
    fixed = {field for node in NODES.values() for field in node.fixed}
    assert inside == {*CHANGES, *ELSEWHERE, *fixed}


@pytest.mark.parametrize("field", CHANGES)
def test_a_parameter_reaches_each_node_that_the_field_reaches(workspace, field):
    recipe = workspace.recipe(**GIVEN, kubeflow={"parameters": [field]})
    (parameter,) = list_parameters(recipe)
    before, after = properties(recipe), properties(changed(recipe, field, CHANGES[field]))
    reached = {node for node in before if read(before[node]) != read(after[node])}
    assert reached - {"RunReport"}
    for node in reached:
        put_values(before[node], parameter.find_places(node), CHANGES[field])
        assert read(before[node]) == read(after[node]), node


def changed(recipe, field, value):
    content = recipe.model_dump(mode="json")
    put_value(content, field.split("."), value)
    return parse_recipe(content)
