"""The recipe's `kubeflow` section: what a cluster has to know beyond what is to be done."""

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from darkroom.components.nodes import NODES

DEFAULT_PARAMETERS: Final = (
    "data.path",
    "push.destination",
    "trainer.seed",
    "trainer.batch_size",
    "trainer.head_epochs",
    "trainer.head_learning_rate",
    "trainer.fine_tune_epochs",
    "trainer.fine_tune_learning_rate",
)

_CPUS: Final = re.compile(r"[0-9]+(\.[0-9]+)?m?")
_MEMORY: Final = re.compile(r"[0-9]+(\.[0-9]+)?(m|[kMGTPE]|[KMGTPE]i)?")
_LONGEST_PAUSE: Final = 24 * 3600
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _is_cpus(value: str) -> str:
    if not _CPUS.fullmatch(value):
        raise ValueError(f"{value!r} is no quantity of CPUs; write one such as 500m or 2")
    return value


def _is_memory(value: str) -> str:
    if not _MEMORY.fullmatch(value):
        raise ValueError(f"{value!r} is no quantity of memory; write one such as 512Mi or 8Gi")
    return value


def _is_variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError(
            f"{value!r} is no name of an environment variable; use letters, digits and underscores"
        )
    return value


Cpus = Annotated[str, AfterValidator(_is_cpus)]
Memory = Annotated[str, AfterValidator(_is_memory)]
Variable = Annotated[str, AfterValidator(_is_variable)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GpuConfig(_Section):
    """Accelerators of a step.

    Args:
        type: The resource's name in Kubernetes.
        count: How many.
    """

    type: str = "nvidia.com/gpu"
    count: int = Field(default=1, ge=1)


class TolerationConfig(_Section):
    """A taint that a step's pod tolerates; fields as in Kubernetes.

    Args:
        key: The taint's key; empty, with operator Exists, means all.
        operator: `Equal` or `Exists`.
        value: The taint's value, for `Equal`.
        effect: The taint's effect; none means all.
        toleration_seconds: For how long NoExecute is tolerated; none means for ever.
    """

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["NoExecute", "NoSchedule", "PreferNoSchedule"] | None = None
    toleration_seconds: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _says_what_it_tolerates(self) -> "TolerationConfig":
        if self.operator == "Exists" and self.value:
            raise ValueError(f"operator Exists takes no value, {self.value!r} was given; drop it")
        if self.operator == "Equal" and not self.key:
            raise ValueError("operator Equal needs a key; give one, or use operator Exists")
        return self


class SecretConfig(_Section):
    """A key of a Kubernetes secret, as an environment variable.

    Args:
        name: The secret.
        key: The key in it.
        variable: Name of the environment variable.
        optional: Whether the step may start without it.
    """

    name: str = Field(min_length=1)
    key: str = Field(min_length=1)
    variable: Variable
    optional: bool = False


class VolumeConfig(_Section):
    """A persistent volume claim, mounted.

    Args:
        claim: Name of the claim.
        path: Where it is mounted.
        sub_path: The folder of the volume that is mounted; empty for all of it.
    """

    claim: str = Field(min_length=1)
    path: str = Field(pattern="^/.+")
    sub_path: str = ""


class RetryConfig(_Section):
    """How often a step that failed is tried again.

    Args:
        count: Tries after the first.
        backoff_seconds: Pause before the first of them.
        backoff_factor: How many times each pause is as long as the one before; whole, since
            versions of Kubeflow cut fractions off or refuse them.
    """

    count: int = Field(ge=1, le=100)
    backoff_seconds: int = Field(default=10, ge=0, le=3600)
    backoff_factor: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _pauses_end(self) -> "RetryConfig":
        last = self.backoff_seconds * self.backoff_factor ** (self.count - 1)
        if last > _LONGEST_PAUSE:
            raise ValueError(
                f"the last of {self.count} pauses would be of {last} seconds, longer than a day; "
                "lower count, backoff_seconds or backoff_factor"
            )
        return self


class StepConfig(_Section):
    """What the pod of a step gets.

    Args:
        cpu_request: CPUs set aside, such as 500m.
        cpu_limit: CPUs at most.
        memory_request: Memory set aside, such as 4Gi.
        memory_limit: Memory at most.
        gpu: Accelerators.
        node_selector: Labels that the node must have.
        tolerations: Taints of nodes that are tolerated.
        environment: Environment variables with values that are no secret.
        secrets: Environment variables from Kubernetes secrets.
        volumes: Persistent volume claims.
        retries: How often the step is tried again.
        timeout_seconds: After so many seconds the pod is stopped and has failed.
        cache: Whether the step may be skipped when its inputs are those of an earlier run.
    """

    cpu_request: Cpus | None = None
    cpu_limit: Cpus | None = None
    memory_request: Memory | None = None
    memory_limit: Memory | None = None
    gpu: GpuConfig | None = None
    node_selector: dict[str, str] = {}
    tolerations: tuple[TolerationConfig, ...] = ()
    environment: dict[Variable, str] = {}
    secrets: tuple[SecretConfig, ...] = ()
    volumes: tuple[VolumeConfig, ...] = ()
    retries: RetryConfig | None = None
    timeout_seconds: int | None = Field(default=None, ge=1)
    cache: bool = True

    def override(self, other: "StepConfig") -> "StepConfig":
        """Returns these settings with those that `other` gives in their place."""
        given = {name: getattr(other, name) for name in other.model_fields_set}
        return self.model_copy(update=given)


class KubeflowConfig(_Section):
    """How the pipeline runs on Kubeflow; a run on this machine does not look at it.

    Args:
        parameters: Fields of the recipe that become parameters of the pipeline, to be changed at
            each run, such as trainer.seed.
        defaults: Settings of all steps.
        steps: Settings of single nodes, by name. What one gives stands instead of the default.
        workers: Pods that train together. More than 1 makes Trainer launch a TFJob.
        image_pull_secrets: Secrets for the registry of the image.
        beam_pipeline_args: Arguments for Beam on the cluster, instead of the recipe's own: to send
            Beam's work to Flink or Dataflow.
    """

    parameters: tuple[str, ...] = DEFAULT_PARAMETERS
    defaults: StepConfig = StepConfig()
    steps: dict[str, StepConfig] = {}
    workers: int = Field(default=1, ge=1, le=256)
    image_pull_secrets: tuple[str, ...] = ()
    beam_pipeline_args: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _steps_are_nodes(self) -> "KubeflowConfig":
        unknown = [name for name in self.steps if name not in NODES]
        if unknown:
            raise ValueError(f"steps: {unknown[0]!r} is no node; use one of {', '.join(NODES)}")
        return self

    @model_validator(mode="after")
    def _names_are_given_once(self) -> "KubeflowConfig":
        _refuse_twice("image_pull_secrets", self.image_pull_secrets)
        _refuse_names_twice("defaults", self.defaults)
        for node in self.steps:
            _refuse_names_twice(f"steps.{node}", self.find_step(node))
        return self

    def find_step(self, node: str) -> StepConfig:
        """Returns the settings of a node."""
        return self.defaults.override(self.steps.get(node, StepConfig()))


def _refuse_names_twice(place: str, step: StepConfig) -> None:
    secrets = [secret.variable for secret in step.secrets]
    _refuse_twice(f"{place}.environment, secrets: variable", [*step.environment, *secrets])
    _refuse_twice(f"{place}.volumes: path", [volume.path for volume in step.volumes])


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{what} {twice[0]!r} is given twice; give it once")
