"""Who trains: one process, or the workers of a cluster.

Kubeflow's training operator describes the workers of a TFJob in the environment variable TF_CONFIG.
Each runs the same program; worker 0, or the one that a job names its chief, is the chief, which
alone writes model, history and logs.
"""

import json
from typing import NamedTuple

from darkroom.trainer.errors import DistributionError

CLUSTER_VARIABLE = "TF_CONFIG"
"""Environment variable that says who trains, as TensorFlow defines it."""
_ROLES = frozenset({"chief", "worker"})


class Cluster(NamedTuple):
    """The workers of one training.

    Attributes:
        workers: How many there are, the chief included.
        number: Which one this process is, from 0; 0 is the chief.
    """

    workers: int = 1
    number: int = 0

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the results."""
        return self.number == 0


ALONE = Cluster()
"""One process, without others."""


def read_cluster(text: str | None) -> Cluster:
    """The cluster that the value of TF_CONFIG describes; one worker where there is none.

    Raises:
        DistributionError: It is no description of workers that train together.
    """
    if not text:
        return ALONE
    try:
        content = json.loads(text)
        roles, task = content.get("cluster", {}), content.get("task", {})
        counts = {role: len(addresses) for role, addresses in roles.items()}
        role, index = task.get("type", "worker"), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise DistributionError(_not_understood(text, "it should be JSON")) from error
    if not counts:
        return ALONE
    if not _ROLES.issuperset(counts):
        raise DistributionError(
            _not_understood(text, "the roles should be worker and at most one chief")
        )
    if role not in counts or not 0 <= index < counts[role]:
        raise DistributionError(_not_understood(text, f"it has no {role} number {index}"))
    before = counts.get("chief", 0) if role == "worker" else 0
    return Cluster(sum(counts.values()), before + index)


def _not_understood(text: str, reason: str) -> str:
    return (
        f"{CLUSTER_VARIABLE}: {text[:120]!r} cannot be used: {reason}; run the workers as a TFJob"
    )
