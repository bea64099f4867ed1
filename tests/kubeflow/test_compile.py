"""The DAG compiles for Kubeflow Pipelines, and holds nothing that its backend cannot run."""

import pytest
import yaml

from kubeflow.compile import compile_recipe, main
from tests.workspace import Workspace

NODES = {
    "ImageExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "BaselineModel",
    "Evaluator",
    "ServingCheck",
    "Pusher",
    "RunReport",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("kubeflow"), per_class=2)


@pytest.fixture(scope="module")
def specification(workspace):
    return compile_recipe(workspace.recipe(), "darkroom:test", "minio://bucket/root")


def test_the_schema_is_one_that_open_source_kubeflow_takes(specification):
    assert specification["schemaVersion"] == "2.1.0"
    assert specification["pipelineInfo"]["name"] == "small"


def test_every_node_is_there_as_a_container(specification):
    tasks = specification["root"]["dag"]["tasks"]
    assert set(tasks) == NODES
    executors = specification["deploymentSpec"]["executors"]
    for task in tasks.values():
        component = specification["components"][task["componentRef"]["name"]]
        assert set(executors[component["executorLabel"]]) == {"container"}


def test_no_node_needs_a_hook_that_the_backend_lacks(specification):
    text = yaml.safe_dump(specification)
    assert "resolver" not in text
    assert "preCacheCheck" not in text


def test_dependencies_are_those_of_the_design(specification):
    tasks = specification["root"]["dag"]["tasks"]
    needed = {name: set(task.get("dependentTasks", ())) for name, task in tasks.items()}
    assert "DataGate" in needed["Transform"]
    assert needed["DataGate"] == {"ImageExampleGen", "ExampleValidator"}
    assert needed["BaselineModel"] == set()
    assert {"Evaluator", "ServingCheck"} <= needed["Pusher"]
    assert "Pusher" in needed["RunReport"]


def test_nodes_that_look_at_the_world_are_never_cached(specification):
    tasks = specification["root"]["dag"]["tasks"]
    uncached = {name for name, task in tasks.items() if not task["cachingOptions"]}
    assert uncached == {"ImageExampleGen", "BaselineModel", "Pusher", "RunReport"}


def test_the_command_writes_yaml(workspace, tmp_path, capsys):
    output = tmp_path / "pipeline.yaml"
    recipe = workspace.write_recipe()
    arguments = ["--config", str(recipe), "--image", "i", "--root", "s3://b/r"]
    assert main([*arguments, "--output", str(output)]) == 0
    assert set(yaml.safe_load(output.read_text())["root"]["dag"]["tasks"]) == NODES
    assert capsys.readouterr().out == f"wrote {output}\n"


def test_the_command_refuses_a_bad_recipe(tmp_path, capsys):
    assert main(["--config", str(tmp_path / "no.yaml"), "--image", "i", "--root", "r"]) == 2
    assert "no.yaml" in capsys.readouterr().err
