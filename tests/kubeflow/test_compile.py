"""The DAG compiles for Kubeflow Pipelines, and holds nothing that its backend cannot run."""

import json
import resource
import signal

import pytest
import yaml
from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2

from darkroom.components.nodes import NODES
from darkroom.kubeflow.compile import compile_recipe, main
from darkroom.kubeflow.parameters import override_recipe, run_arguments
from darkroom.kubeflow.values import put_values
from darkroom.recipe import ConfigError
from darkroom.tests.workspace import Workspace

IN_THE_DAG = {*NODES} - {"ImportSchemaGen"}
ROOT = "minio://bucket/root"
STEPS = {
    "defaults": {"cpu_limit": "2", "memory_request": "1500Mi"},
    "steps": {"Trainer": {"gpu": {}, "cache": False, "node_selector": {"pool": "gpu"}}},
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("kubeflow"), per_class=2)


@pytest.fixture(scope="module")
def compiled(workspace):
    return compile_recipe(workspace.recipe(kubeflow=STEPS), "darkroom:test", ROOT)


@pytest.fixture(scope="module")
def specification(compiled):
    return compiled.specification


@pytest.fixture(scope="module")
def tasks(specification):
    """Node to task."""
    names = {spec.task_name: node for node, spec in NODES.items()}
    return {names[key]: task for key, task in specification["root"]["dag"]["tasks"].items()}


def container(specification, node):
    executors = specification["deploymentSpec"]["executors"]
    return executors[f"exec-{NODES[node].task_name}"]["container"]


def argument(specification, node, flag):
    arguments = container(specification, node)["args"]
    return json.loads(arguments[arguments.index(flag) + 1])


def test_schema_is_one_that_open_source_kubeflow_takes(specification):
    assert specification["schemaVersion"] == "2.1.0"
    assert specification["pipelineInfo"]["name"] == "small"
    assert specification["defaultPipelineRoot"] == ROOT


def test_protocol_buffers_and_loader_of_kfp_read_it(compiled, tmp_path):
    message = pipeline_spec_pb2.PipelineSpec()
    json_format.ParseDict(compiled.specification, message, ignore_unknown_fields=True)
    assert len(message.root.dag.tasks) == len(IN_THE_DAG)
    path = tmp_path / "pipeline.yaml"
    compiled.write(path)
    loaded = components.load_component_from_file(str(path))
    assert loaded.name == "small"
    assert set(loaded.component_spec.inputs) == {*specification_parameters(compiled)}


def specification_parameters(compiled):
    return compiled.specification["root"]["inputDefinitions"]["parameters"]


def test_every_node_is_there_as_a_container_with_our_entrypoint(specification, tasks):
    assert set(tasks) == IN_THE_DAG
    for node, task in tasks.items():
        component = specification["components"][task["componentRef"]["name"]]
        assert component["executorLabel"] == f"exec-{NODES[node].task_name}"
        found = container(specification, node)
        assert found["command"] == ["python", "-m", "darkroom.kubeflow.entrypoint"]
        assert found["image"] == "darkroom:test"
    assert len(specification["components"]) == len(IN_THE_DAG)
    assert len(specification["deploymentSpec"]["executors"]) == len(IN_THE_DAG)


def test_names_are_those_that_kfp_keeps_whole(specification):
    assert "image-example-gen" in specification["root"]["dag"]["tasks"]
    assert all(name.startswith("comp-") for name in specification["components"])


def test_tasks_are_stored_by_the_name_by_which_they_are_looked_for(specification):
    for key, task in specification["root"]["dag"]["tasks"].items():
        assert task["taskInfo"] == {"name": key}


def test_the_root_is_part_of_what_makes_a_step_the_same(workspace):
    """Kubeflow's cache looks at the command line, and not at where artifacts are."""
    one, other = (
        compile_recipe(workspace.recipe(), "image", root).specification
        for root in ("s3://one/root", "s3://other/root")
    )
    for node in IN_THE_DAG:
        assert container(one, node)["args"] != container(other, node)["args"]


def test_no_node_needs_a_hook_that_the_backend_lacks(compiled):
    text = compiled.to_yaml()
    for hook in ("resolver", "preCacheCheck", "importer"):
        assert hook not in text


def test_dependencies_are_those_of_the_design(tasks):
    needed = {name: set(task.get("dependentTasks", ())) for name, task in tasks.items()}
    assert "data-gate" in needed["Transform"]
    assert needed["DataGate"] == {"image-example-gen", "example-validator"}
    assert needed["BaselineModel"] == set()
    assert {"evaluator", "serving-check"} <= needed["Pusher"]
    assert "pusher" in needed["RunReport"]


def test_every_input_comes_from_an_output_that_there_is(specification, tasks):
    by_key = {NODES[node].task_name: node for node in tasks}
    seen = 0
    for node, task in tasks.items():
        for artifact in task.get("inputs", {}).get("artifacts", {}).values():
            source = artifact["taskOutputArtifact"]
            assert source["producerTask"] in task["dependentTasks"]
            assert source["producerTask"] in by_key
            component = specification["components"][f"comp-{source['producerTask']}"]
            assert source["outputArtifactKey"] in component["outputDefinitions"]["artifacts"]
            seen += 1
        declared = specification["components"][f"comp-{NODES[node].task_name}"]["inputDefinitions"]
        given = task.get("inputs", {})
        assert set(given.get("artifacts", {})) == set(declared.get("artifacts", {}))
        assert set(given["parameters"]) == set(declared["parameters"])
    assert seen > 20


def test_artifact_types_are_on_the_command_line(specification):
    inputs = argument(specification, "RunReport", "--json_serialized_inputs_spec_args")
    outputs = argument(specification, "ImageExampleGen", "--outputs_spec")
    schema = inputs["artifacts"]["quarantine"]["artifactType"]["instanceSchema"]
    assert yaml.safe_load(schema)["title"] == "darkroom.Quarantine"
    assert "tfx.Examples" in outputs["artifacts"]["examples"]["artifactType"]["instanceSchema"]


def test_nodes_that_look_at_the_world_are_never_cached(tasks):
    uncached = {name for name, task in tasks.items() if not task["cachingOptions"]}
    assert uncached == {"ImageExampleGen", "BaselineModel", "Pusher", "RunReport", "Trainer"}


def test_nodes_whose_state_is_given_may_be_cached(workspace):
    compiled = compile_recipe(workspace.recipe(), "darkroom:test", ROOT, fingerprinted=True)
    tasks = compiled.specification["root"]["dag"]["tasks"]
    uncached = {name for name, task in tasks.items() if not task["cachingOptions"]}
    assert uncached == {"pusher", "run-report"}
    assert compiled.platforms == {}


def test_parameters_are_typed_described_and_have_defaults(specification, workspace):
    parameters = specification["root"]["inputDefinitions"]["parameters"]
    assert parameters["data_path"] == {
        "parameterType": "STRING",
        "defaultValue": str(workspace.data),
        "description": parameters["data_path"]["description"],
    }
    assert parameters["data_path"]["description"].startswith("The data folder")
    assert parameters["trainer_head_epochs"]["parameterType"] == "NUMBER_INTEGER"
    assert parameters["trainer_head_epochs"]["defaultValue"] == 4
    assert parameters["trainer_head_learning_rate"]["parameterType"] == "NUMBER_DOUBLE"
    assert parameters["data_fingerprint"]["defaultValue"] == ""
    assert all(len(parameter["description"]) > 10 for parameter in parameters.values())


def test_state_of_the_world_is_a_parameter(tasks):
    for node, name, parameter in (
        ("ImageExampleGen", "fingerprint", "data_fingerprint"),
        ("BaselineModel", "served", "served_version"),
    ):
        given = tasks[node]["inputs"]["parameters"][name]
        assert given == {"componentInputParameter": parameter}


def test_parameters_reach_just_the_nodes_that_depend_on_them(tasks):
    reached = {
        name
        for name, task in tasks.items()
        if "trainer_seed" in task.get("inputs", {}).get("parameters", {})
    }
    assert reached == {"Trainer", "RunReport"}


CHANGES = {
    "data.split_salt": "another",
    "data.max_quarantined": 0.5,
    "validation.fatal": ["INT_TYPE_BIG_INT"],
    "transform.image_height": 96,
    "trainer.seed": 7,
    "trainer.augmentation.rotation": 3.5,
    "evaluation.thresholds.accuracy.min": 0.75,
    "push.destination": "/elsewhere",
    "push.warmup_batch_sizes": [1],
}


def test_a_parameter_does_what_the_same_value_in_the_recipe_does(workspace):
    """For each node: the old recipe's properties and the parameters give the new recipe's."""
    section = {"kubeflow": {"parameters": list(CHANGES)}}
    recipe = workspace.recipe(**section)
    changed = override_recipe(recipe, CHANGES)
    before, after = (
        compile_recipe(each, "image", ROOT).specification for each in (recipe, changed)
    )
    differing = set()
    values = run_arguments(changed)
    for key, task in before["root"]["dag"]["tasks"].items():
        node = next(node for node, spec in NODES.items() if spec.task_name == key)
        properties = constants(task)
        wanted = constants(after["root"]["dag"]["tasks"][key])
        if properties != wanted:
            differing.add(node)
            for name, places in argument(before, node, "--recipe_places").items():
                put_values(properties, places, values[name])
        assert decoded(properties) == decoded(wanted), node
    expected = {"ImageExampleGen", "DataGate", "Transform", "Trainer", "Evaluator"}
    assert differing == expected | {"BaselineModel", "Pusher", "RunReport"}


def constants(task):
    given = task.get("inputs", {}).get("parameters", {})
    return {n: p["runtimeValue"]["constant"] for n, p in given.items() if "runtimeValue" in p}


def decoded(properties):
    """With the JSON read, in which order and spaces do not matter."""
    found = {}
    for name, value in properties.items():
        try:
            found[name] = json.loads(value)
        except (TypeError, ValueError):
            found[name] = value
    return found


def test_settings_of_steps_are_in_their_containers_tasks_and_platform(compiled, tasks):
    trainer = container(compiled.specification, "Trainer")["resources"]
    assert trainer["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert trainer["resourceCpuLimit"] == "2"
    other = container(compiled.specification, "Pusher")["resources"]
    assert "accelerator" not in other
    assert other["resourceMemoryRequest"] == "1500Mi"
    executors = compiled.platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors == {"exec-trainer": {"nodeSelector": {"labels": {"pool": "gpu"}}}}


def test_beam_arguments_of_the_cluster_take_the_place_of_the_local_ones(workspace):
    section = {"beam_pipeline_args": ["--direct_num_workers=2"]}
    recipe = workspace.recipe(kubeflow=section)
    compiled = compile_recipe(recipe, "image", ROOT).specification
    assert "--direct_num_workers=2" in container(compiled, "StatisticsGen")["args"]


def test_several_workers_make_the_step_launch_a_job(workspace):
    trainer = {
        "gpu": {},
        "memory_limit": "16Gi",
        "timeout_seconds": 60,
        "node_selector": {"a": "b"},
    }
    trainer["volumes"] = [{"claim": "data", "path": "/data"}]
    section = {"workers": 4, "steps": {"Trainer": trainer}, "image_pull_secrets": ["registry"]}
    section["defaults"] = {"memory_limit": "1Gi"}
    compiled = compile_recipe(workspace.recipe(kubeflow=section), "image", ROOT)
    job = argument(compiled.specification, "Trainer", "--training_job")
    assert (job["workers"], job["image"]) == (4, "image")
    assert job["step"]["gpu"] == {"type": "nvidia.com/gpu", "count": 1}
    assert job["step"]["image_pull_secrets"] == ["registry"]
    assert job["step"]["timeout_seconds"] == 60
    # The pod that waits needs neither GPU nor memory, and ends the job itself when time is over.
    resources = container(compiled.specification, "Trainer")["resources"]
    assert (resources["resourceMemoryLimit"], "accelerator" in resources) == ("1Gi", False)
    executors = compiled.platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors["exec-trainer"]) == {"pvcMount", "imagePullSecret"}


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"workers": 3}, "trainer.batch_size: 32 does not divide among 3 replicas"),
        ({"beam_pipeline_args": ["--runner=SparkRunner"]}, "--runner 'SparkRunner' does not do"),
    ],
)
def test_what_would_fail_on_the_cluster_is_refused(workspace, section, words):
    with pytest.raises(ConfigError, match=words):
        compile_recipe(workspace.recipe(kubeflow=section), "image", ROOT)


def test_command_writes_yaml(workspace, tmp_path, capsys):
    output = tmp_path / "pipeline.yaml"
    recipe = workspace.write_recipe()
    arguments = ["--config", str(recipe), "--image", "i", "--root", "s3://b/r"]
    assert main([*arguments, "--output", str(output)]) == 0
    (specification,) = yaml.safe_load_all(output.read_text())
    assert len(specification["root"]["dag"]["tasks"]) == len(IN_THE_DAG)
    assert capsys.readouterr().out == f"wrote {output}\n"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"parameters": ["trainer.sead"]}, "'trainer.sead' is no field"),
        ({"parameters": ["data.metadata_columns"]}, "cannot change from run to run"),
        ({"parameters": ["name"]}, "cannot change from run to run"),
        ({"parameters": ["data.group_column"]}, "is null"),
        ({"steps": {"Trainr": {}}}, "'Trainr' is no node"),
        (
            {
                "defaults": {"environment": {"A": "b"}},
                "steps": {"Pusher": {"secrets": [{"name": "s", "key": "k", "variable": "A"}]}},
            },
            "steps.Pusher.environment, secrets: variable 'A' is given twice",
        ),
        ({"defaults": {"volumes": [{"claim": "c", "path": "/a"}] * 2}}, "'/a' is given twice"),
        ({"image_pull_secrets": ["r", "r"]}, "image_pull_secrets 'r' is given twice"),
        ({"defaults": {"memory_limit": "8 GB"}}, "'8 GB' is no quantity"),
    ],
)
def test_command_refuses_a_bad_section_in_one_line(workspace, capsys, section, words):
    recipe = workspace.write_recipe(kubeflow=section)
    assert main(["--config", str(recipe), "--image", "i", "--root", ROOT]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "kubeflow" in error
    assert error.count("\n") == 1


def test_command_refuses_a_recipe_that_is_not_there(tmp_path, capsys):
    assert main(["--config", str(tmp_path / "no.yaml"), "--image", "i", "--root", ROOT]) == 2
    assert "no.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("image", ["", "BAD NAME", "a\nb"])
def test_command_refuses_what_is_no_image(workspace, capsys, image):
    """TFX would take an empty one for its own image."""
    recipe = workspace.write_recipe()
    assert main(["--config", str(recipe), "--image", image, "--root", ROOT]) == 2
    assert capsys.readouterr().err.startswith(f"error: --image: {image!r} is no name of an image")


@pytest.mark.parametrize("output", ["missing/pipeline.yaml", "."])
def test_command_refuses_a_place_that_is_none_before_it_compiles(
    workspace, capsys, tmp_path, output
):
    place = str(tmp_path / output)
    arguments = ["--config", str(workspace.write_recipe()), "--image", "i", "--root", ROOT]
    assert main([*arguments, "--output", place]) == 2
    assert capsys.readouterr().err.startswith(
        f"error: --output: {place!r} does not do; give a file"
    )


def test_a_file_that_cannot_be_written_leaves_the_old_one(compiled, tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text("the old one")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            compiled.write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_text() == "the old one"


@pytest.mark.parametrize("root", ["/data/root", "root", "s3://", "https://b/r", "file:///data"])
def test_command_refuses_a_root_that_kubeflow_cannot_use(workspace, capsys, root):
    recipe = workspace.write_recipe()
    assert main(["--config", str(recipe), "--image", "i", "--root", root]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --root: {root!r} is no folder of an object store")
    assert error.count("\n") == 1
