"""Settings of a step are what KFP's own SDK and its Kubernetes extension write."""

import sys

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from pydantic import ValidationError

from darkroom.kubeflow.resources import (
    create_container_settings,
    create_kubernetes_settings,
    create_task_settings,
)
from darkroom.recipe.kubeflow import KubeflowConfig, StepConfig

FULL = {
    "cpu_request": "500m",
    "cpu_limit": "4",
    "memory_request": "1500Mi",
    "memory_limit": "8G",
    "gpu": {"count": 2},
    "node_selector": {"pool": "gpu"},
    "tolerations": [
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "team", "value": "vision", "effect": "NoExecute", "toleration_seconds": 60},
    ],
    "environment": {"AWS_ENDPOINT_URL": "http://minio:9000"},
    "secrets": [{"name": "minio", "key": "accesskey", "variable": "AWS_ACCESS_KEY_ID"}],
    "volumes": [
        {"claim": "data", "path": "/data"},
        {"claim": "models", "path": "/models", "sub_path": "digits"},
    ],
    "retries": {"count": 3, "backoff_seconds": 30, "backoff_factor": 3},
    "timeout_seconds": 7200,
}
PULL_SECRETS = ("registry", "mirror")


@pytest.fixture(scope="module")
def step():
    return StepConfig.model_validate(FULL)


def test_container_has_resources_as_numbers_and_as_text(step):
    settings = create_container_settings(step)
    resources = settings["resources"]
    assert resources["cpuRequest"] == 0.5 and resources["resourceCpuRequest"] == "500m"
    assert resources["memoryRequest"] == pytest.approx(1.572864)
    assert resources["memoryLimit"] == 8.0 and resources["resourceMemoryLimit"] == "8G"
    assert resources["accelerator"]["count"] == "2"
    assert settings["env"] == [{"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"}]


def test_protocol_buffers_of_kfp_take_container_and_task(step):
    container = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec()
    # The oldest ones that are supported do not know the fields that hold text.
    json_format.ParseDict(create_container_settings(step), container, ignore_unknown_fields=True)
    assert container.resources.accelerator.count == 2
    task = pipeline_spec_pb2.PipelineTaskSpec()
    json_format.ParseDict(create_task_settings(step), task)
    assert task.caching_options.enable_cache
    assert task.retry_policy.max_retry_count == 3
    assert task.retry_policy.backoff_duration.seconds == 30


def test_tries_end_by_their_number_and_not_after_an_hour(step):
    """Kubeflow hands it to Argo as the time in which all tries have to begin and end."""
    longest = create_task_settings(step)["retryPolicy"]["backoffMaxDuration"]
    assert int(longest.removesuffix("s")) > (3 + 1) * 7200 + 30 * (1 + 3 + 9)


def test_only_what_is_optional_is_said_to_be():
    secret = {"name": "minio", "key": "accesskey", "variable": "A"}
    step = StepConfig.model_validate({"secrets": [secret, secret | {"optional": True}]})
    written = create_kubernetes_settings(step, ())["secretAsEnv"]
    assert [each.get("optional") for each in written] == [None, True]


def test_nothing_set_is_nothing_written():
    step = StepConfig()
    assert create_container_settings(step) == {}
    assert create_task_settings(step) == {"cachingOptions": {"enableCache": True}}
    assert create_kubernetes_settings(step, ()) == {}


def test_settings_of_the_platform(step):
    assert create_kubernetes_settings(step, PULL_SECRETS) == {
        "nodeSelector": {"labels": {"pool": "gpu"}},
        "tolerations": [
            {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
            {
                "key": "team",
                "operator": "Equal",
                "value": "vision",
                "effect": "NoExecute",
                "tolerationSeconds": "60",
            },
        ],
        "secretAsEnv": [
            {
                "secretName": "minio",
                "secretNameParameter": {"runtimeValue": {"constant": "minio"}},
                "keyToEnv": [{"secretKey": "accesskey", "envVar": "AWS_ACCESS_KEY_ID"}],
            }
        ],
        "pvcMount": [
            {
                "constant": "data",
                "pvcNameParameter": {"runtimeValue": {"constant": "data"}},
                "mountPath": "/data",
            },
            {
                "constant": "models",
                "pvcNameParameter": {"runtimeValue": {"constant": "models"}},
                "mountPath": "/models",
                "subPath": "digits",
            },
        ],
        "imagePullSecret": [
            {"secretName": name, "secretNameParameter": {"runtimeValue": {"constant": name}}}
            for name in PULL_SECRETS
        ],
        "activeDeadlineSeconds": "7200",
    }


if sys.version_info >= (3, 11):
    # kfp-kubernetes needs newer protocol buffers than the other column has.

    def test_platform_is_what_kfp_kubernetes_writes(step):
        with_kfp = write_with_kfp()[0]
        # Said by the SDK also where it is not; older servers do not know it.
        assert with_kfp["secretAsEnv"][0].pop("optional") is False
        assert create_kubernetes_settings(step, PULL_SECRETS) == with_kfp

    def test_container_and_retries_are_what_kfp_writes(step):
        _, container, task = write_with_kfp()
        settings = create_container_settings(step)
        assert settings["resources"] == container["resources"]
        assert settings["env"] == container["env"]
        # The SDK has no more than an hour, which Vertex's service wants.
        longest = {"backoffMaxDuration": "3600s"}
        assert create_task_settings(step)["retryPolicy"] | longest == task["retryPolicy"]


def write_with_kfp():
    """Returns what KFP's SDK makes of the same settings: platform, container, task."""
    import tempfile
    from pathlib import Path

    import yaml
    from kfp import compiler, dsl, kubernetes

    @dsl.container_component
    def work():
        return dsl.ContainerSpec(image="image")

    @dsl.pipeline(name="pipeline")
    def pipeline():
        task = work()
        task.set_cpu_request("500m").set_cpu_limit("4")
        task.set_memory_request("1500Mi").set_memory_limit("8G")
        task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(2)
        task.set_env_variable("AWS_ENDPOINT_URL", "http://minio:9000")
        task.set_retry(3, "30s", 3, "3600s")
        kubernetes.add_node_selector(task, "pool", "gpu")
        kubernetes.add_toleration(task, "gpu", "Exists", effect="NoSchedule")
        kubernetes.add_toleration(task, "team", "Equal", "vision", "NoExecute", 60)
        kubernetes.use_secret_as_env(task, "minio", {"accesskey": "AWS_ACCESS_KEY_ID"})
        kubernetes.mount_pvc(task, "data", "/data")
        kubernetes.mount_pvc(task, "models", "/models", "digits")
        kubernetes.set_image_pull_secrets(task, list(PULL_SECRETS))
        kubernetes.set_timeout(task, 7200)

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "pipeline.yaml")
        compiler.Compiler().compile(pipeline, path)
        specification, platform = yaml.safe_load_all(Path(path).read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    container = specification["deploymentSpec"]["executors"]["exec-work"]["container"]
    return executors["exec-work"], container, specification["root"]["dag"]["tasks"]["work"]


def test_what_a_step_gives_stands_instead_of_the_default():
    config = KubeflowConfig.model_validate(
        {
            "defaults": {
                "cpu_limit": "1",
                "cache": False,
                "volumes": [{"claim": "a", "path": "/a"}],
            },
            "steps": {"Trainer": {"cpu_limit": "8", "volumes": []}},
        }
    )
    trainer, other = config.find_step("Trainer"), config.find_step("Pusher")
    assert (trainer.cpu_limit, trainer.volumes, trainer.cache) == ("8", (), False)
    assert (other.cpu_limit, len(other.volumes)) == ("1", 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cpu_limit": "two"}, "'two' is no quantity"),
        ({"memory_limit": "-1Gi"}, "is no quantity"),
        ({"tolerations": [{"operator": "Exists", "value": "x"}]}, "takes no value"),
        ({"tolerations": [{"value": "x"}]}, "Equal needs a key"),
        ({"secrets": [{"name": "a", "key": "b", "variable": "1x"}]}, "'1x' is no name"),
        ({"volumes": [{"claim": "a", "path": "data"}]}, "pattern"),
        ({"cpu_limit": "2Gi"}, "'2Gi' is no quantity of CPUs"),
        ({"memory_limit": "512ki"}, "'512ki' is no quantity of memory"),
        ({"retries": {"count": 0}}, "greater than or equal to 1"),
        ({"retries": {"count": 20}}, "longer than a day"),
        ({"retries": {"count": 2, "backoff_factor": 1.5}}, "valid integer"),
        ({"gpu": {"count": 0}}, "greater than or equal to 1"),
        ({"cpus": 3}, "not permitted"),
    ],
)
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(ValidationError, match=words):
        StepConfig.model_validate(settings)
