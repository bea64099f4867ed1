"""Manifests of Kubeflow training jobs, as plain data.

The training operator's TFJob (`kubeflow.org/v1`) gives each worker TF_CONFIG, which TensorFlow
reads. The newer TrainJob (`trainer.kubeflow.org`) has no runtime for TensorFlow.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

GROUP: Final = "kubeflow.org"
VERSION: Final = "v1"
KIND: Final = "TFJob"
PLURAL: Final = "tfjobs"
"""Its name in URLs and in RBAC rules."""
CONTAINER: Final = "tensorflow"
"""What the operator wants the training container to be called."""
CONTENT_ANNOTATION: Final = "darkroom/content"
"""Digest of the job's specification: a job found under the same name is awaited if it is equal."""
_PORT: Final = 2222
_SHARED_MEMORY: Final[dict[str, Any]] = {"name": "shared-memory", "emptyDir": {"medium": "Memory"}}
"""NCCL exchanges data of one pod's GPUs in it; a container has 64 MB without."""


class Launcher(NamedTuple):
    """The pod that launches a job.

    Attributes:
        namespace: Where it is, and the job will be.
        service_account: As which it runs, and the workers will; empty for the namespace's default.
        pod: Its name; when it is deleted, Kubernetes deletes the job. Empty: not known.
    """

    namespace: str
    service_account: str = ""
    pod: str = ""
    uid: str = ""


def build_training_job(
    name: str,
    launcher: Launcher,
    image: str,
    command: Sequence[str],
    workers: int,
    step: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of a job whose pods all run `command`; worker 0 is the chief.

    A worker that ends with an error is not started again: the others could not go on with it, so
    the job has failed at once. Kubeflow Pipelines tries the step again, if the recipe says so.

    Args:
        name: Name of the job, at most 50 characters of a DNS label: pods are `<name>-worker-0` …
        workers: Number of pods, at least 2.
        step: What each pod gets: the fields of `darkroom.recipe.kubeflow.StepConfig` as plain
            data, and `image_pull_secrets`, a list of names. Missing ones are not set.
    """
    template = {
        # A proxy beside the worker would outlive it, and stand between the workers.
        "metadata": {"annotations": {"sidecar.istio.io/inject": "false"}},
        "spec": _without_empty({"serviceAccountName": launcher.service_account})
        | _pod(image, command, step),
    }
    specification: dict[str, Any] = {
        # No backoffLimit: with one, operators before 1.9.4 delete the pod that failed, and its log.
        "runPolicy": {"cleanPodPolicy": "Running", "ttlSecondsAfterFinished": 86400},
        "tfReplicaSpecs": {
            "Worker": {"replicas": workers, "restartPolicy": "Never", "template": template}
        },
    }
    owner = {"apiVersion": "v1", "kind": "Pod", "name": launcher.pod, "uid": launcher.uid}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": launcher.namespace,
            "labels": {"app.kubernetes.io/part-of": "darkroom"},
            "annotations": {CONTENT_ANNOTATION: _digest(specification)},
            **({"ownerReferences": [owner]} if launcher.uid else {}),
        },
        "spec": specification,
    }


def _digest(specification: Mapping[str, Any]) -> str:
    text = json.dumps(specification, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _pod(image: str, command: Sequence[str], step: Mapping[str, Any]) -> dict[str, Any]:
    claims = [volume["claim"] for volume in step.get("volumes") or ()]
    pod = {
        # By the kubelet, also when launcher and operator are gone.
        "activeDeadlineSeconds": step.get("timeout_seconds"),
        # TensorFlow takes SIGTERM for a warning that the machine will go, and works on.
        "terminationGracePeriodSeconds": 5,
        "containers": [_container(image, command, step)],
        "nodeSelector": dict(step.get("node_selector") or {}),
        "tolerations": [_toleration(each) for each in step.get("tolerations") or ()],
        "imagePullSecrets": [{"name": each} for each in step.get("image_pull_secrets") or ()],
        "volumes": [
            {"name": f"claim-{number}", "persistentVolumeClaim": {"claimName": claim}}
            for number, claim in enumerate(dict.fromkeys(claims))
        ]
        + [_SHARED_MEMORY] * _has_several_gpus(step),
    }
    return _without_empty(pod)


def _container(image: str, command: Sequence[str], step: Mapping[str, Any]) -> dict[str, Any]:
    container = {
        "name": CONTAINER,
        "image": image,
        # Kubernetes replaces $(NAME) and $$ in it.
        "command": [word.replace("$", "$$") for word in command],
        "ports": [{"name": "tfjob-port", "containerPort": _PORT}],
        "env": [
            *({"name": n, "value": v} for n, v in (step.get("environment") or {}).items()),
            *_secret_variables(step),
        ],
        "resources": _without_empty({"requests": _requests(step), "limits": _limits(step)}),
        "volumeMounts": _mounts(step),
        # What the Pod Security Standard `restricted` asks for.
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return _without_empty(container)


def _secret_variables(step: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": secret["variable"],
            "valueFrom": {
                "secretKeyRef": {
                    "name": secret["name"],
                    "key": secret["key"],
                    "optional": bool(secret.get("optional")),
                }
            },
        }
        for secret in step.get("secrets") or ()
    ]


def _requests(step: Mapping[str, Any]) -> dict[str, str]:
    return _without_empty({"cpu": step.get("cpu_request"), "memory": step.get("memory_request")})


def _limits(step: Mapping[str, Any]) -> dict[str, str]:
    gpu = step.get("gpu")
    return _without_empty(
        {
            "cpu": step.get("cpu_limit"),
            "memory": step.get("memory_limit"),
            **({gpu["type"]: str(gpu["count"])} if gpu else {}),
        }
    )


def _mounts(step: Mapping[str, Any]) -> list[dict[str, Any]]:
    volumes = step.get("volumes") or ()
    claims = list(dict.fromkeys(volume["claim"] for volume in volumes))
    mounts = [{"name": _SHARED_MEMORY["name"], "mountPath": "/dev/shm"}] * _has_several_gpus(step)
    return mounts + [
        _without_empty(
            {
                "name": f"claim-{claims.index(volume['claim'])}",
                "mountPath": volume["path"],
                "subPath": volume.get("sub_path"),
            }
        )
        for volume in volumes
    ]


def _has_several_gpus(step: Mapping[str, Any]) -> bool:
    return bool(step.get("gpu")) and step["gpu"]["count"] > 1


def _toleration(toleration: Mapping[str, Any]) -> dict[str, Any]:
    named = {key: value for key, value in toleration.items() if key != "toleration_seconds"}
    seconds = toleration.get("toleration_seconds")
    return _without_empty(named) | ({} if seconds is None else {"tolerationSeconds": seconds})


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}
