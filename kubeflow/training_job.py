"""Runs a Kubeflow training job and waits for it: what Trainer's step does for several workers."""

import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import kubernetes
import urllib3

from darkroom.components.errors import ComponentError
from darkroom.kubeflow.training_manifest import (
    CONTAINER,
    CONTENT_ANNOTATION,
    GROUP,
    KIND,
    PLURAL,
    VERSION,
)
from darkroom.kubeflow.training_status import (
    STUCK_REASONS,
    end_of,
    find_obstacle,
    has_failed,
    in_one_line,
    may_pass,
    read_conditions,
)

PROGRESS = logging.getLogger("darkroom.progress")
WATCH_SECONDS = 30
"""How long one watch lasts; the pods are looked at when it ends, and at every event."""
STUCK_SECONDS = 180.0
"""How long a pod may fail to get its image or its configuration before that is final."""
_PAUSE_SECONDS: Final = 2.0
_CALL_SECONDS: Final = 30
_LOG_LINES: Final = 20
_JOB_LABEL: Final = "training.kubeflow.org/job-name"
_RBAC: Final = "kubeflow/manifests/training-rbac.yaml"


class TrainingJobError(ComponentError):
    """A training job that cannot be run or that failed."""


class _Terminated(Exception):
    """This process was asked to end."""


def run_training_job(
    manifest: Mapping[str, Any],
    timeout_seconds: float,
    take_result: Callable[[], None],
    api: kubernetes.client.ApiClient | None = None,
) -> None:
    """Creates a job, waits until it has succeeded, takes its result and deletes it.

    An equal job of that name, from an earlier try of the step, is awaited instead; one that failed
    or that differs is replaced. The job is deleted when the time is over and when this process gets
    SIGTERM, too; one that failed stays for a day, with its pods and their logs.

    Args:
        manifest: What `build_training_job` returned.
        timeout_seconds: Longest time for all of it.
        take_result: Is called when the job has succeeded; where it raises, the job stays, and the
            next try of the step finds it.
        api: The cluster; None: that in which this pod runs.

    Raises:
        TrainingJobError: The job failed or cannot be run; the message says why in one line, and,
            for a failed pod, its last lines.
    """
    run = _Run(manifest, time.monotonic() + timeout_seconds, timeout_seconds, api or _in_cluster())
    with _stoppable():
        try:
            run.start()
            run.follow()
            take_result()
        except (_Terminated, KeyboardInterrupt) as error:
            run.delete()
            raise TrainingJobError(
                f"{run.title}: stopped, because this step was; the job is deleted"
            ) from error
        except kubernetes.client.ApiException as error:
            raise TrainingJobError(run.describe(error)) from error
    run.delete()


def _in_cluster() -> kubernetes.client.ApiClient:
    configuration = kubernetes.client.Configuration()
    try:
        kubernetes.config.load_incluster_config(client_configuration=configuration)
    except kubernetes.config.ConfigException as error:
        raise TrainingJobError(
            f"kubeflow.workers: a training job can only be launched from a pod of the cluster "
            f"({error}); set workers to 1 elsewhere"
        ) from error
    return kubernetes.client.ApiClient(configuration)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turns SIGTERM, which a stopped pod gets, into an exception."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class _Run:
    """One job, from its creation to its end."""

    def __init__(
        self,
        manifest: Mapping[str, Any],
        deadline: float,
        seconds: float,
        api: kubernetes.client.ApiClient,
    ) -> None:
        self._manifest = dict(manifest)
        self._deadline = deadline
        self._seconds = seconds
        self._name = manifest["metadata"]["name"]
        self._namespace = manifest["metadata"]["namespace"]
        self.title = f"{KIND} {self._namespace}/{self._name}"
        # Events stay when the job is deleted.
        self._find_events = (
            f"kubectl get events -n {self._namespace} "
            f"--field-selector involvedObject.name={self._name}"
        )
        self._jobs = kubernetes.client.CustomObjectsApi(api)
        self._core = kubernetes.client.CoreV1Api(api)
        self._place = (GROUP, VERSION, self._namespace, PLURAL)
        self._said: dict[str, str] = {}
        self._stuck_since: dict[str, float] = {}
        self._waiting = ""
        self._seen = {"Created"}

    def start(self) -> None:
        """Creates the job, or finds the equal one of an earlier try."""
        while True:
            try:
                self._jobs.create_namespaced_custom_object(
                    *self._place, self._manifest, _request_timeout=_CALL_SECONDS
                )
            except kubernetes.client.ApiException as error:
                if may_pass(error):
                    self._pause(f"the cluster answers {error.status}")
                    continue
                if error.status != 409:
                    raise
            except urllib3.exceptions.HTTPError as error:
                self._pause(f"no answer from the cluster ({in_one_line(error)})")
                continue
            else:
                self._say("job", "created")
                return
            if self._keeps_existing():
                self._say("job", "found again")
                return
            self._check_time()

    def _keeps_existing(self) -> bool:
        """Whether the job of this name is awaited; otherwise it is deleted."""
        job = self._read()
        if job is None:
            return False
        metadata = job["metadata"]
        content = (metadata.get("annotations") or {}).get(CONTENT_ANNOTATION)
        wanted = self._manifest["metadata"]["annotations"][CONTENT_ANNOTATION]
        going = not metadata.get("deletionTimestamp")
        if going and content == wanted and not has_failed(read_conditions(job)):
            return True
        if going:
            self._say("job", "replaces an earlier one")
            self.delete()
        self._pause("the earlier job is not gone yet")
        return False

    def follow(self) -> None:
        """Returns when the job has succeeded."""
        while True:
            self._check_time()
            try:
                job = self._read()
                self._look_at_pods(job)
                if self._has_ended(job):
                    return
                self._watch(job["metadata"]["resourceVersion"] if job else "")
            except kubernetes.client.ApiException as error:
                # 410: what was seen last is too old; the next round begins with a fresh look.
                if error.status != 410 and not may_pass(error):
                    raise
                self._pause("" if error.status == 410 else f"the cluster answers {error.status}")
            except urllib3.exceptions.HTTPError as error:
                self._pause(f"connection lost ({in_one_line(error)})")

    def _read(self) -> dict[str, Any] | None:
        try:
            return self._jobs.get_namespaced_custom_object(
                *self._place, self._name, _request_timeout=_CALL_SECONDS
            )
        except kubernetes.client.ApiException as error:
            if error.status == 404:
                return None
            raise

    def _watch(self, version: str) -> None:
        """Returns when the job has changed, or after a while."""
        seconds = max(1, min(WATCH_SECONDS, int(self._deadline - time.monotonic())))
        watch, started, events = kubernetes.watch.Watch(), time.monotonic(), 0
        for _ in watch.stream(
            self._jobs.list_namespaced_custom_object,
            *self._place,
            field_selector=f"metadata.name={self._name}",
            resource_version=version,
            timeout_seconds=seconds,
            _request_timeout=(_CALL_SECONDS, seconds + _CALL_SECONDS),
        ):
            events += 1
            watch.stop()
        if not events and time.monotonic() - started < 1:
            self._pause("")

    def _has_ended(self, job: dict[str, Any] | None) -> bool:
        if job is None:
            raise TrainingJobError(f"{self.title}: somebody deleted it while it ran")
        conditions = read_conditions(job)
        for kind in conditions:
            if kind not in self._seen:
                self._seen.add(kind)
                self._say("job", kind.lower())
        if has_failed(conditions):
            message = conditions["Failed"] or "no reason is given"
            raise TrainingJobError(f"{self.title} failed: {message}{self._tail(job)}")
        return "Succeeded" in conditions

    def _pods(self, job: Mapping[str, Any]) -> list[Any]:
        """The pods of this job, without those of one that had its name before."""
        found = self._core.list_namespaced_pod(
            self._namespace,
            label_selector=f"{_JOB_LABEL}={self._name}",
            _request_timeout=_CALL_SECONDS,
        ).items
        uid = job["metadata"]["uid"]
        return [
            pod
            for pod in found
            if any(owner.uid == uid for owner in pod.metadata.owner_references or ())
        ]

    def _look_at_pods(self, job: Mapping[str, Any] | None) -> None:
        pods = self._pods(job) if job else []
        self._waiting = "" if pods else f"; it has no pods: `{self._find_events}` says why"
        for pod in pods:
            name = pod.metadata.name
            obstacle = find_obstacle(pod)
            self._say(name, f"{pod.status.phase}{f': {obstacle[1]}' if obstacle else ''}")
            if obstacle is None:
                self._stuck_since.pop(name, None)
                continue
            self._waiting = f"; {name}: {obstacle[1]}"
            since = self._stuck_since.setdefault(name, time.monotonic())
            if obstacle[0] in STUCK_REASONS and time.monotonic() - since >= STUCK_SECONDS:
                self.delete()
                raise TrainingJobError(
                    f"{self.title}: pod {name} cannot start: {obstacle[1]}; check the image, "
                    "kubeflow.image_pull_secrets and the step's secrets; the job is deleted"
                )

    def _tail(self, job: Mapping[str, Any]) -> str:
        """The last lines of the first pod that failed."""
        failed = [pod for pod in self._pods(job) if pod.status.phase == "Failed"]
        if not failed:
            return ""
        first = min(failed, key=end_of)
        name = first.metadata.name
        try:
            log = self._core.read_namespaced_pod_log(
                name,
                self._namespace,
                container=CONTAINER,
                tail_lines=_LOG_LINES,
                _request_timeout=_CALL_SECONDS,
            )
        except (kubernetes.client.ApiException, urllib3.exceptions.HTTPError) as error:
            return f"; the log of pod {name} cannot be read ({in_one_line(error)})"
        return f"; the last lines of pod {name}:\n{log.rstrip()}"

    def delete(self) -> None:
        """Deletes the job and its pods; says so where that does not succeed."""
        try:
            self._jobs.delete_namespaced_custom_object(
                *self._place,
                self._name,
                propagation_policy="Background",
                _request_timeout=_CALL_SECONDS,
            )
        except (kubernetes.client.ApiException, urllib3.exceptions.HTTPError) as error:
            if getattr(error, "status", None) != 404:
                self._say("job", f"cannot be deleted ({in_one_line(error)})")

    def _check_time(self) -> None:
        if time.monotonic() >= self._deadline:
            self.delete()
            raise TrainingJobError(
                f"{self.title}: not finished after {self._seconds:g} s{self._waiting}; the job is "
                "deleted; give kubeflow.steps.Trainer.timeout_seconds more, or the cluster more "
                "room"
            )

    def _pause(self, reason: str) -> None:
        if reason:
            self._say("job", reason)
        self._check_time()
        time.sleep(min(_PAUSE_SECONDS, max(0.0, self._deadline - time.monotonic())))

    def _say(self, who: str, what: str) -> None:
        """One line for each change."""
        if self._said.get(who) != what:
            self._said[who] = what
            PROGRESS.info("%s  %s", self.title if who == "job" else f"  {who}", what)

    def describe(self, error: kubernetes.client.ApiException) -> str:
        """One line for an answer of the cluster that ends the run."""
        message = in_one_line(error)
        if error.status == 403:
            account = re.search(r'User "([^"]+)"', message)
            return (
                f"{self.title}: {account.group(1) if account else 'this pod'} lacks a right "
                f"({message}); it needs get, list, watch, create, delete on "
                f"{PLURAL}.{GROUP}, get, list, watch on pods and get on pods/log: "
                f"apply {_RBAC}"
            )
        if error.status == 401:
            return f"{self.title}: the cluster does not know this pod's service account ({message})"
        if error.status == 404:
            return (
                f"{self.title}: the cluster knows no {PLURAL}.{GROUP} ({message}); "
                "install Kubeflow's training operator 1.5 or newer, or set kubeflow.workers to 1"
            )
        return f"{self.title}: the cluster refused it with {error.status} ({message})"
