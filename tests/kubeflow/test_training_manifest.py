"""Manifests of training jobs and the rights to launch them, against Kubernetes' own schemas."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from darkroom.kubeflow import training_manifest
from darkroom.kubeflow.training_manifest import PLURAL, Launcher, build_training_job
from darkroom.recipe.kubeflow import StepConfig

VERSIONS = ("1.27", kubernetes_validate.latest_version())
RBAC = Path(training_manifest.__file__).parent / "manifests" / "training-rbac.yaml"
STEP = StepConfig.model_validate(
    {
        "cpu_request": "2",
        "cpu_limit": "4",
        "memory_request": "4Gi",
        "memory_limit": "8Gi",
        "gpu": {"count": 2},
        "node_selector": {"pool": "gpu"},
        "tolerations": [
            {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "toleration_seconds": 0}
        ],
        "environment": {"LANG": "C.UTF-8"},
        "secrets": [{"name": "s3", "key": "id", "variable": "AWS_ACCESS_KEY_ID"}],
        "volumes": [
            {"claim": "data", "path": "/data"},
            {"claim": "data", "path": "/root", "sub_path": "runs"},
        ],
    }
).model_dump(mode="json") | {"image_pull_secrets": ["registry"]}


LAUNCHER = Launcher("team", "editor", "step-1", "u-1")


def build(step: dict = STEP, workers: int = 3, launcher: Launcher = LAUNCHER, **more) -> dict:
    command = [
        "python",
        "-m",
        "darkroom.kubeflow.entrypoint",
        '{"price": "$(A) $5"}',
        "--training_worker",
    ]
    return build_training_job("train-1", launcher, "darkroom:1", command, workers, step, **more)


def worker(manifest: dict) -> dict:
    return manifest["spec"]["tfReplicaSpecs"]["Worker"]


def test_fields_are_those_that_the_training_operator_documents():
    manifest = build()
    assert (manifest["apiVersion"], manifest["kind"]) == ("kubeflow.org/v1", "TFJob")
    assert manifest["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Pod", "name": "step-1", "uid": "u-1"}
    ]
    assert set(manifest["spec"]) == {"runPolicy", "tfReplicaSpecs"}
    assert manifest["spec"]["runPolicy"] == {
        "cleanPodPolicy": "Running",
        "ttlSecondsAfterFinished": 86400,
    }
    assert set(worker(manifest)) == {"replicas", "restartPolicy", "template"}
    assert (worker(manifest)["replicas"], worker(manifest)["restartPolicy"]) == (3, "Never")
    (container,) = worker(manifest)["template"]["spec"]["containers"]
    assert container["name"] == "tensorflow", "the operator sets TF_CONFIG in this one only"
    assert container["ports"] == [{"name": "tfjob-port", "containerPort": 2222}]


def test_pods_get_what_the_step_would_get():
    template = worker(build(STEP | {"timeout_seconds": 3600}))["template"]
    assert template["metadata"]["annotations"] == {"sidecar.istio.io/inject": "false"}
    spec = template["spec"]
    assert spec["serviceAccountName"] == "editor"
    assert spec["activeDeadlineSeconds"] == 3600
    (container,) = spec["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "2"},
    }
    assert container["env"][0] == {"name": "LANG", "value": "C.UTF-8"}
    reference = container["env"][1]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "s3", "key": "id", "optional": False}
    assert container["volumeMounts"] == [
        {"name": "shared-memory", "mountPath": "/dev/shm"},
        {"name": "claim-0", "mountPath": "/data"},
        {"name": "claim-0", "mountPath": "/root", "subPath": "runs"},
    ]
    assert spec["volumes"] == [
        {"name": "claim-0", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
    ]
    assert spec["nodeSelector"] == {"pool": "gpu"}
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["tolerations"] == [
        {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}
    ]


def test_one_gpu_needs_no_shared_memory():
    spec = worker(build(STEP | {"gpu": {"type": "nvidia.com/gpu", "count": 1}}))["template"]["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["claim-0"]


def test_the_command_arrives_as_it_is():
    """Kubernetes replaces $(NAME) by a variable, and $$ by $."""
    (container,) = worker(build())["template"]["spec"]["containers"]
    assert container["command"][3] == '{"price": "$$(A) $$5"}'


def test_a_launcher_that_does_not_know_itself_leaves_out_what_it_is_not():
    manifest = build(launcher=Launcher("team"))
    assert "ownerReferences" not in manifest["metadata"]
    assert "serviceAccountName" not in worker(manifest)["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("step", [STEP, StepConfig().model_dump(mode="json"), {}])
def test_workers_are_valid_pods(version, step):
    template = worker(build(step))["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"] = {**template["metadata"], "name": "train-1-worker-0"}
    kubernetes_validate.validate(pod, version, strict=True)


def test_equal_jobs_are_known_by_their_content_whoever_launches_them():
    def content(manifest: dict) -> str:
        return manifest["metadata"]["annotations"][training_manifest.CONTENT_ANNOTATION]

    first = content(build())
    assert first == content(build(launcher=LAUNCHER._replace(pod="step-2", uid="u-2")))
    assert first != content(build(workers=2))


@pytest.mark.parametrize("version", VERSIONS)
def test_rights_are_valid_and_suffice_for_what_the_launcher_calls(version):
    role, binding = yaml.safe_load_all(RBAC.read_text())
    for resource in (role, binding):
        kubernetes_validate.validate(resource, version, strict=True)
    granted = {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    verbs = ("get", "list", "watch", "create", "delete")
    assert {(PLURAL, verb) for verb in verbs} <= granted
    assert {("pods", "list"), ("pods/log", "get")} <= granted
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
