"""Arguments for Beam on a cluster: what is refused, and where the workers are."""

import pytest

from darkroom.kubeflow.beam import check_beam_arguments, is_remote
from darkroom.recipe import ConfigError

IMAGE = "registry.example/darkroom:1"
FLINK = [
    "--runner=FlinkRunner",
    "--flink_master=flink-rest:8081",
    "--flink_submit_uber_jar",
    "--environment_type=EXTERNAL",
    "--environment_config=localhost:50000",
]
PORTABLE = [
    "--runner=PortableRunner",
    "--job_endpoint=beam-jobs:8099",
    "--environment_type=DOCKER",
    f"--environment_config={IMAGE}",
]
LOOPBACK = ["--runner=PortableRunner", "--job_endpoint=jobs:8099", "--environment_type=LOOPBACK"]
DATAFLOW = [
    "--runner=DataflowRunner",
    "--project=p",
    "--region=europe-west1",
    "--temp_location=gs://b/tmp",
    f"--sdk_container_image={IMAGE}",
]
GOOD = [
    ([], "s3://b/root", False),
    (["--direct_num_workers=2", "--direct_running_mode=multi_processing"], "s3://b/r", False),
    (["--runner=DirectRunner"], "minio://b/root", False),
    (["--runner", "direct"], "minio://b/root", False),
    (FLINK, "gs://b/root", True),
    (PORTABLE, "gs://b/root", True),
    (LOOPBACK, "minio://b/root", False),
    (DATAFLOW, "gs://b/root", True),
]


@pytest.mark.parametrize(("arguments", "root", "remote"), GOOD)
def test_what_works_is_taken_and_its_workers_place_is_known(arguments, root, remote):
    check_beam_arguments(arguments, IMAGE, root)
    assert is_remote(arguments) == remote


def without(arguments: list[str], option: str) -> list[str]:
    return [each for each in arguments if not each.startswith(f"--{option}")]


def changed(arguments: list[str], option: str, value: str) -> list[str]:
    return [*without(arguments, option), f"--{option}={value}"]


BAD = [
    (["--runner=SparkRunner"], "runner 'SparkRunner' does not do: use one of DirectRunner, "),
    (["--help"], "'--help' is no option of a run"),
    ([" "], "' ' is no option of a run"),
    (["--direct_num_wokers=2"], "direct_num_wokers '2' does not do: Beam has no such option"),
    (["--direct_num_workers=two"], "Beam refuses them: argument --direct_num_workers"),
    (without(FLINK, "flink_master"), r"flink_master '\[auto\]' .*host:port .*no Java"),
    (changed(FLINK, "flink_master", "[local]"), r"flink_master '\[local\]'"),
    (without(FLINK, "flink_submit"), "flink_submit_uber_jar is missing; add it"),
    (without(FLINK, "environment_type"), "environment_type is missing: set it to EXTERNAL"),
    (changed(FLINK, "environment_type", "PROCESS"), "environment_type 'PROCESS'"),
    (without(FLINK, "environment_config"), "environment_config is missing: EXTERNAL needs host"),
    (without(PORTABLE, "job_endpoint"), "job_endpoint is missing: give host:port"),
    (changed(PORTABLE, "job_endpoint", "embed"), "job_endpoint 'embed'"),
    (without(PORTABLE, "environment_config"), f"environment_config is missing: .*{IMAGE}"),
    (changed(PORTABLE, "environment_config", "beam:2"), f"'beam:2' does not do: .*{IMAGE}"),
    (without(DATAFLOW, "project"), "project is missing"),
    (without(DATAFLOW, "region"), "region is missing"),
    (without(DATAFLOW, "temp_location"), "temp_location is missing: .*gs://"),
    (changed(DATAFLOW, "temp_location", "s3://b"), "temp_location 's3://b'"),
    (without(DATAFLOW, "sdk_container_image"), f"sdk_container_image is missing: .*{IMAGE}"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_what_would_fail_later_is_refused_in_one_line(arguments, words):
    with pytest.raises(ConfigError, match=f"^beam_pipeline_args: .*{words}") as caught:
        check_beam_arguments(arguments, IMAGE, "gs://b/root")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("root", ["s3://b/r", "minio://b/r"])
@pytest.mark.parametrize("arguments", [FLINK, PORTABLE, DATAFLOW])
def test_a_root_that_the_workers_cannot_reach_is_refused(arguments, root):
    with pytest.raises(ConfigError, match=f"cannot reach the root {root}; take a root on gs://"):
        check_beam_arguments(arguments, IMAGE, root)
