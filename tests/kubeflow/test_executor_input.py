"""From Kubeflow's message to TFX's objects and back, for each place artifacts can be at."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfx.types import standard_artifacts

from darkroom.components.artifacts import Quarantine
from darkroom.kubeflow import executor_input
from darkroom.kubeflow.executor_input import (
    ExecutorInputError,
    make_output_folders,
    read_step_input,
    restore_artifacts,
    to_local_path,
    write_step_output,
)

EXAMPLES_SCHEMA = "title: tfx.Examples\ntype: object\nproperties:\n  span:\n    type: integer\n"
INPUTS_SPEC = {
    "artifacts": {
        "examples": {"artifactType": {"instanceSchema": EXAMPLES_SCHEMA}},
        "quarantine": {"artifactType": {"instanceSchema": "title: darkroom.Quarantine\n"}},
    },
    "parameters": {
        "steps": {"parameterType": "NUMBER_INTEGER"},
        "rate": {"parameterType": "NUMBER_DOUBLE"},
        "config": {"parameterType": "STRING"},
        "trainer_seed": {"parameterType": "NUMBER_INTEGER"},
    },
}
OUTPUTS_SPEC = {"artifacts": {"model": {"artifactType": {"instanceSchema": "title: tfx.Model\n"}}}}
SCHEMES = ["gs://bucket", "s3://bucket", "minio://bucket", "/mnt/volume"]


def message(root, output_file="/tmp/kfp_outputs/output_metadata.json", **metadata):
    """As the launcher of open-source Kubeflow writes it: without the types of the inputs."""
    return {
        "inputs": {
            "parameterValues": {
                "steps": 3.0,
                "rate": 2,
                "config": '{"seed": 1}',
                "trainer_seed": 7.0,
            },
            "artifacts": {
                "examples": artifacts("examples", f"{root}/gen/examples", metadata),
                "quarantine": artifacts("quarantine", f"{root}/gen/quarantine", {}),
            },
        },
        "outputs": {
            "artifacts": {
                "model": artifacts("model", f"{root}/trainer/model", {}),
                # Kubeflow adds it, unless its PUBLISH_LOGS is off.
                "executor-logs": artifacts("executor-logs", f"{root}/trainer/executor-logs", {}),
            },
            "outputFile": output_file,
        },
    }


def artifacts(name, uri, metadata):
    return {"artifacts": [{"name": name, "uri": uri, "metadata": metadata}]}


def read(content, **options):
    places = json.dumps({"trainer_seed": [["config", "seed"]]})
    return read_step_input(
        json.dumps(content), json.dumps(INPUTS_SPEC), json.dumps(OUTPUTS_SPEC), places, **options
    )


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("gs://bucket/a", "/gcs/bucket/a"),
        ("s3://bucket/a", "/s3/bucket/a"),
        ("minio://bucket/a", "/minio/bucket/a"),
        ("/mnt/volume/a", "/mnt/volume/a"),
        ("s3://bucket/gs://a", "/s3/bucket/gs://a"),
    ],
)
def test_executors_see_the_paths_of_the_launcher(uri, path):
    assert to_local_path(uri) == path


@pytest.mark.parametrize("root", SCHEMES)
def test_types_come_from_the_specification_and_uris_go_back(root, tmp_path):
    step = read(message(root, str(tmp_path / "deep" / "output.json")))
    (examples,), (quarantine,) = step.inputs["examples"], step.inputs["quarantine"]
    assert type(examples) is standard_artifacts.Examples
    assert type(quarantine) is Quarantine
    assert examples.uri == to_local_path(f"{root}/gen/examples")
    (model,) = step.outputs["model"]
    assert type(model) is standard_artifacts.Model
    model.set_int_custom_property("served_version", 3)
    write_step_output(step)
    written = json.loads(step.output_file.read_text())["artifacts"]["model"]["artifacts"]
    assert written == [{"uri": f"{root}/trainer/model", "metadata": {"served_version": 3}}]


def test_the_log_that_kubeflow_adds_is_none_of_the_steps_outputs(tmp_path):
    """Its launcher has made a file of that name before the step begins."""
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "executor-logs").write_text("log")
    step = read(message(str(tmp_path), str(tmp_path / "output.json")))
    make_output_folders(step)
    write_step_output(step)
    assert set(json.loads(step.output_file.read_text())["artifacts"]) == {"model"}
    assert (tmp_path / "trainer" / "executor-logs").read_text() == "log"


def test_uris_stay_where_the_executor_can_read_them():
    step = read(message("gs://bucket"), local=False)
    assert step.inputs["examples"][0].uri == "gs://bucket/gen/examples"


def test_parameters_are_typed_and_put_where_the_recipes_values_were():
    properties = read(message("/mnt")).properties
    assert properties == {"steps": 3, "rate": 2, "config": '{"seed": 7}'}
    assert isinstance(properties["steps"], int)


def test_properties_of_both_kinds_arrive():
    content = message(
        "/mnt", span=2.0, split_names='["train"]', examples_train=12.0, note="x", no=0
    )
    (examples,) = read(content).inputs["examples"]
    assert (examples.span, examples.split_names) == (2, '["train"]')
    assert examples.get_int_custom_property("examples_train") == 12
    assert examples.get_string_custom_property("note") == "x"
    assert examples.get_int_custom_property("no") == 0
    assert examples.has_custom_property("no")


@given(
    numbers=st.dictionaries(
        st.from_regex("[a-z]{1,8}", fullmatch=True), st.integers(-(2**53), 2**53)
    ),
    texts=st.dictionaries(st.from_regex("t_[a-z]{1,8}", fullmatch=True), st.text(max_size=20)),
)
def test_what_one_step_writes_the_next_one_reads(tmp_path_factory, numbers, texts):
    folder = tmp_path_factory.mktemp("answer")
    step = read(message("minio://bucket", str(folder / "output.json")))
    (model,) = step.outputs["model"]
    for name, value in numbers.items():
        model.set_int_custom_property(name, value)
    for name, value in texts.items():
        model.set_string_custom_property(name, value)
    write_step_output(step)
    answer = json.loads(step.output_file.read_text())
    metadata = answer["artifacts"]["model"]["artifacts"][0]["metadata"]
    content = message("minio://bucket", **{f"x_{name}": value for name, value in metadata.items()})
    (received,) = read(content).inputs["examples"]
    for name, value in numbers.items():
        assert received.get_int_custom_property(f"x_{name}") == value
    for name, value in texts.items():
        assert received.get_string_custom_property(f"x_{name}") == value
    (restored,) = restore_artifacts(answer, OUTPUTS_SPEC)["model"]
    assert all(restored.get_int_custom_property(n) == v for n, v in numbers.items())


def test_output_folders_are_made(tmp_path):
    step = read(message(str(tmp_path)))
    make_output_folders(step)
    assert (tmp_path / "trainer" / "model").is_dir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: c["outputs"].pop("outputFile"), "no outputs.outputFile"),
        (
            lambda c: c["inputs"]["parameterValues"].pop("trainer_seed"),
            "no parameter 'trainer_seed'",
        ),
        (
            lambda c: c["inputs"]["artifacts"].update(odd=artifacts("odd", "/x", {})),
            "'odd' is of type ''",
        ),
    ],
)
def test_a_message_that_does_not_fit_is_refused(spoil, words):
    content = message("/mnt")
    spoil(content)
    with pytest.raises(ExecutorInputError, match=words):
        read(content)


def test_local_roots_are_those_of_the_launcher():
    assert executor_input.LOCAL_ROOTS == {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
