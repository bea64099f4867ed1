"""Resources of steps, as Kubeflow Pipelines wants them.

CPU, memory, accelerators and environment variables stand in the executor's container, retries and
caching in the task; the rest is the Kubernetes platform's, a second document of the YAML. Names and
values are those that the SDK and its extension `kfp-kubernetes` write.
"""

from decimal import Decimal
from typing import Any, Final

from darkroom.recipe.kubeflow import StepConfig, VolumeConfig

_CPU_UNITS: Final = {"m": Decimal("0.001"), "": Decimal(1)}
_MEMORY_UNITS: Final = {
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
    "m": Decimal("0.001"),
}
_GIGABYTE: Final = Decimal(1000) ** 3
_FOR_EVER: Final = "31536000s"
"""Kubeflow counts `backoffMaxDuration` from the beginning of the first try, and tries no more when
it is over: no bound on pauses, as its name has it. A year; without it there would be no retry."""


def create_container_settings(step: StepConfig) -> dict[str, Any]:
    """Returns the parts of a container that are a step's: `resources` and `env`.

    Older versions of Kubeflow Pipelines read numbers (CPUs, gigabytes), newer ones text.
    """
    resources: dict[str, Any] = {}
    for name, value in (("Request", step.cpu_request), ("Limit", step.cpu_limit)):
        if value is not None:
            resources[f"cpu{name}"] = float(_parse(value, _CPU_UNITS))
            resources[f"resourceCpu{name}"] = value
    for name, value in (("Request", step.memory_request), ("Limit", step.memory_limit)):
        if value is not None:
            resources[f"memory{name}"] = float(_parse(value, _MEMORY_UNITS) / _GIGABYTE)
            resources[f"resourceMemory{name}"] = value
    if step.gpu:
        resources["accelerator"] = {
            "type": step.gpu.type,
            "count": str(step.gpu.count),
            "resourceType": step.gpu.type,
            "resourceCount": str(step.gpu.count),
        }
    settings: dict[str, Any] = {"resources": resources} if resources else {}
    if step.environment:
        settings["env"] = [{"name": n, "value": v} for n, v in step.environment.items()]
    return settings


def create_task_settings(step: StepConfig) -> dict[str, Any]:
    """Returns the parts of a task that are a step's: `cachingOptions` and `retryPolicy`."""
    settings: dict[str, Any] = {"cachingOptions": {"enableCache": True} if step.cache else {}}
    if step.retries:
        settings["retryPolicy"] = {
            "maxRetryCount": step.retries.count,
            "backoffDuration": f"{step.retries.backoff_seconds}s",
            "backoffFactor": step.retries.backoff_factor,
            "backoffMaxDuration": _FOR_EVER,
        }
    return settings


def create_kubernetes_settings(
    step: StepConfig, image_pull_secrets: tuple[str, ...]
) -> dict[str, Any]:
    """Returns a `KubernetesExecutorConfig` as plain data; empty where nothing is set."""
    settings: dict[str, Any] = {}
    if step.node_selector:
        settings["nodeSelector"] = {"labels": dict(step.node_selector)}
    if step.tolerations:
        settings["tolerations"] = [
            _without_empty(
                key=toleration.key,
                operator=toleration.operator,
                value=toleration.value,
                effect=toleration.effect,
                # Protobuf's JSON writes 64-bit integers as text.
                tolerationSeconds=_to_text(toleration.toleration_seconds),
            )
            for toleration in step.tolerations
        ]
    if step.secrets:
        settings["secretAsEnv"] = [
            {
                **_name_both_ways("secretName", secret.name),
                "keyToEnv": [{"secretKey": secret.key, "envVar": secret.variable}],
                # Kubeflow 2.14 refuses the word.
                **({"optional": True} if secret.optional else {}),
            }
            for secret in step.secrets
        ]
    if step.volumes:
        settings["pvcMount"] = [_mount(volume) for volume in step.volumes]
    if image_pull_secrets:
        settings["imagePullSecret"] = [
            _name_both_ways("secretName", name) for name in image_pull_secrets
        ]
    if step.timeout_seconds is not None:
        settings["activeDeadlineSeconds"] = str(step.timeout_seconds)
    return settings


def _mount(volume: VolumeConfig) -> dict[str, Any]:
    return _without_empty(
        constant=volume.claim,
        pvcNameParameter=_constant(volume.claim),
        mountPath=volume.path,
        subPath=volume.sub_path,
    )


def _name_both_ways(key: str, name: str) -> dict[str, Any]:
    """A name as older versions read it, and as newer ones do."""
    return {key: name, f"{key}Parameter": _constant(name)}


def _constant(value: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}


def _without_empty(**items: Any) -> dict[str, Any]:
    return {key: value for key, value in items.items() if value not in (None, "")}


def _to_text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _parse(quantity: str, units: dict[str, Decimal]) -> Decimal:
    number = quantity.rstrip("mkKMGTPEi")
    return Decimal(number) * units[quantity[len(number) :]]
