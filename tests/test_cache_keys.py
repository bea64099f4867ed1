"""A node runs again when something that it depends on has changed, and only then."""

import json
import shutil
import subprocess
import sys

import pytest

from darkroom.components.nodes import NODES
from darkroom.tests.rooms import ROOMS, ROOT
from darkroom.tests.workspace import Workspace

INGEST = "components/image_example_gen"
LETTERS = "trainer/weights/letters_mobilenet_v2_035_64.weights.h5"
STORE = "storage/object_store/store.py"
FEATURES = "transform/features.py"
IMAGES = "components/example_images.py"

CHANGES = {
    "ImageExampleGen": (
        f"{INGEST}/executor.py",
        "transform/descriptors.py",
        "transform/decoding.py",
        f"{INGEST}/split.py",
        f"{INGEST}/places/bucket.py",
        f"{INGEST}/sources/csv.py",
        STORE,
        FEATURES,
        "components/__init__.py",
    ),
    "ImportSchemaGen": ("schema.pbtxt",),
    "DataGate": (
        "components/data_gate/gate.py",
        "components/data_gate/anomalies.py",
        f"{INGEST}/quarantine.py",
    ),
    "Transform": ("transform/preprocessing.py", "transform/images.py", FEATURES),
    "Trainer": (
        "trainer/augmentation/contrast.py",
        "trainer/run.py",
        "trainer/engines/engine.py",
        "trainer/engines/keras/loop.py",
        "serving/signatures.py",
        "transform/images.py",
        "mine.weights.h5",
    ),
    "BaselineModel": (
        "components/baseline_model/executor.py",
        "storage/versions/place.py",
        "storage/versions/folder.py",
        STORE,
    ),
    "Evaluator": (
        "components/evaluator/results.py",
        "components/evaluator/executor.py",
        "storage/fingerprint.py",
        "transform/images.py",
        IMAGES,
    ),
    "ServingCheck": (
        "components/serving_check/executor.py",
        "serving/model_server/server.py",
        "serving/model_server/servables/loading.py",
        "serving/client/__init__.py",
        "serving/protos/tensorflow_serving.binpb",
        IMAGES,
    ),
}
"""Node to files that its result depends on, directly or not."""

KEEPS = {
    "ImageExampleGen": ("trainer/run.py", "components/evaluator/results.py", "schema.pbtxt"),
    "StatisticsGen": (f"{INGEST}/executor.py", STORE),
    "ImportSchemaGen": ("mine.weights.h5",),
    "ExampleValidator": ("components/data_gate/gate.py",),
    "DataGate": ("transform/decoding.py", STORE, "transform/images.py"),
    "Transform": ("trainer/augmentation/contrast.py", "storage/fingerprint.py"),
    "Trainer": (
        "transform/preprocessing.py",
        "serving/model_server/server.py",
        "serving/client/__init__.py",
        LETTERS,
        "schema.pbtxt",
    ),
    "BaselineModel": ("trainer/run.py", "components/pusher/executor.py", "transform/images.py"),
    "Evaluator": ("components/data_gate/gate.py", "trainer/augmentation/contrast.py", STORE),
    "ServingCheck": ("serving/deploy/compose.yaml", "serving/signatures.py", "trainer/run.py"),
}
"""Node to files that it might be thought to depend on."""
NOBODYS = (
    "__init__.py",
    "pipeline.py",
    "components/nodes.py",
    "components/tfx_nodes.py",
    "components/pusher/node.py",
    "recipe/recipe.py",
    "runner/local.py",
    "kubeflow/entrypoint.py",
)
EDITED = sorted({LETTERS, *NOBODYS, *sum([*CHANGES.values(), *KEEPS.values()], ())})


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the code, with a recipe's own files in it."""
    folder = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / "darkroom" / room, ignore=ignored)
    for name in ("__init__.py", "pipeline.py"):
        shutil.copy(ROOT / name, folder / "darkroom")
    shutil.copy(ROOT / "tests" / "cache_keys.py", folder)
    shutil.copy(ROOT / LETTERS, folder / "mine.weights.h5")
    (folder / "schema.pbtxt").write_text('feature { name: "label" type: BYTES }\n')
    return folder


@pytest.fixture(scope="module")
def keys(tree, tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("keys"), per_class=1)
    recipes = {
        "shipped": workspace.content,
        "own": workspace.changed(
            trainer={"weights": "mine.weights.h5"}, validation={"schema_path": "schema.pbtxt"}
        ),
    }
    (workspace.folder / "recipes.json").write_text(json.dumps(recipes))
    (workspace.folder / "edited.json").write_text(json.dumps(EDITED))
    command = [sys.executable, "cache_keys.py"]
    command += [str(workspace.folder / name) for name in ("recipes.json", "edited.json")]
    ended = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def rekeyed(keys, file, recipe="own"):
    return {node for node, key in keys[file][recipe].items() if key != keys[""][recipe][node]}


@pytest.mark.parametrize("node", CHANGES)
def test_what_a_node_depends_on_is_in_its_key(keys, node):
    assert [file for file in CHANGES[node] if node not in rekeyed(keys, file)] == []


@pytest.mark.parametrize("node", KEEPS)
def test_what_a_node_does_not_depend_on_is_not(keys, node):
    assert [file for file in KEEPS[node] if node in rekeyed(keys, file)] == []


def test_every_node_that_may_come_from_the_cache_is_looked_at(keys):
    uncached = {name for name, node in NODES.items() if not node.is_cached}
    assert set(keys[""]["own"]) == {*KEEPS, *uncached}


def test_the_shipped_weights_are_in_the_key_of_those_who_train_from_them(keys):
    assert rekeyed(keys, LETTERS, "shipped") == {"Trainer"}
    assert rekeyed(keys, "mine.weights.h5", "shipped") == set()


@pytest.mark.parametrize("file", NOBODYS)
def test_what_only_wires_and_runs_the_nodes_changes_no_key(keys, file):
    assert rekeyed(keys, file, "own") == rekeyed(keys, file, "shipped") == set()


def test_where_the_code_lies_is_in_no_key(keys, tree):
    assert str(tree) not in json.dumps(keys)
