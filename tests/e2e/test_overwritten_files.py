"""Files that the recipe names, overwritten under the same path; each test goes on from the last."""

import shutil

import h5py
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from darkroom import pipeline
from darkroom.tests.workspace import Workspace, cached
from darkroom.trainer.backbones import LETTERS_FILE
from darkroom.transform.features import (
    DESCRIPTORS,
    FLOAT_DESCRIPTORS,
    IMAGE,
    INTEGER_DESCRIPTORS,
    LABEL,
)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("overwritten"), per_class=4)
    weights, schema = workspace.folder / "my.weights.h5", workspace.folder / "schema.pbtxt"
    shutil.copy(LETTERS_FILE, weights)
    write_schema(schema, classes=10)
    workspace.content["trainer"] |= {"weights": str(weights), "head_epochs": 1}
    workspace.content["validation"] = {"schema_path": str(schema)}
    workspace.content["evaluation"] = {"thresholds": {"accuracy": {"min": 0.0}}}
    return workspace


def write_schema(path, classes):
    """The label is one of so many digits; the other features are as they come."""
    schema = schema_pb2.Schema()
    for name in (IMAGE, LABEL, *DESCRIPTORS, "source"):
        kind = schema_pb2.INT if name in INTEGER_DESCRIPTORS else schema_pb2.BYTES
        kind = schema_pb2.FLOAT if name in FLOAT_DESCRIPTORS else kind
        feature = schema.feature.add(name=name, type=kind, presence={"min_fraction": 1.0})
        feature.shape.dim.add(size=1)
        if name == LABEL:
            feature.string_domain.value.extend(str(digit) for digit in range(classes))
    path.write_text(text_format.MessageToString(schema))


def run(workspace):
    return pipeline.run(workspace.recipe(), "recipe.yaml")


@pytest.fixture(scope="module")
def first(workspace):
    return run(workspace)


def test_other_weights_under_the_same_path_are_trained_from(workspace, first):
    assert first["status"] == "pushed", first
    with h5py.File(workspace.folder / "my.weights.h5", "r+") as file:
        file["layers/conv2d/vars/0"][...] = 0.0
    again = run(workspace)
    assert not cached(again)["Trainer"]
    assert all(cached(again)[name] for name in ("ImageExampleGen", "ImportSchemaGen", "Transform"))


def test_another_schema_under_the_same_path_is_validated_against(workspace, first):
    write_schema(workspace.folder / "schema.pbtxt", classes=9)
    stopped = run(workspace)
    assert stopped["status"] == "failed", stopped
    assert stopped["error"].startswith("DataGate")
    assert not cached(stopped)["ImportSchemaGen"] and not cached(stopped)["ExampleValidator"]
    assert cached(stopped)["StatisticsGen"]
