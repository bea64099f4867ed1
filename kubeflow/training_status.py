"""What Kubernetes says about a training job and its pods."""

import re
from collections.abc import Mapping
from typing import Any, Final

import kubernetes

STUCK_REASONS: Final = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
    }
)
"""Of a container that waits: those that do not pass by themselves, unless they are brief."""


def may_pass(error: kubernetes.client.ApiException) -> bool:
    """Whether the cluster may answer otherwise a little later."""
    return error.status == 429 or (error.status or 0) >= 500


def read_conditions(job: Mapping[str, Any]) -> dict[str, str]:
    """Message of each condition that holds, by its type."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return {
        each["type"]: " ".join(each.get("message", "").split())
        for each in conditions
        if each.get("status") == "True"
    }


def has_failed(conditions: Mapping[str, str]) -> bool:
    """A job whose chief is done has succeeded, also where another worker then failed."""
    return "Failed" in conditions and "Succeeded" not in conditions


def find_obstacle(pod: Any) -> tuple[str, str] | None:
    """Reason and words for why a pod does not start."""
    for status in pod.status.container_statuses or ():
        waiting = status.state.waiting if status.state else None
        if waiting and waiting.reason:
            message = " ".join((waiting.message or "").split())
            return waiting.reason, f"{waiting.reason}: {message}" if message else waiting.reason
    for condition in pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            message = " ".join((condition.message or "").split())
            return "Unschedulable", f"not scheduled: {message or condition.reason}"
    return None


def end_of(pod: Any) -> float:
    """When the first of a pod's containers ended, in seconds since 1970; infinity if none did."""
    ends = [
        status.state.terminated.finished_at.timestamp()
        for status in pod.status.container_statuses or ()
        if status.state and status.state.terminated and status.state.terminated.finished_at
    ]
    return min(ends, default=float("inf"))


def in_one_line(error: Exception) -> str:
    """What the cluster says, without the headers that the client prints."""
    body = getattr(error, "body", None)
    found = re.search(r'"message":\s*"((?:[^"\\]|\\.)*)"', str(body)) if body else None
    text = (
        found.group(1).replace('\\"', '"') if found else str(getattr(error, "reason", "") or error)
    )
    return " ".join(text.split())[:300] or type(error).__name__
