"""The launcher of training jobs against a double of the Kubernetes API, with its faults."""

import os
import signal
import threading

import pytest

from darkroom.kubeflow import training_job
from darkroom.kubeflow.training_job import TrainingJobError, run_training_job
from darkroom.kubeflow.training_manifest import Launcher, build_training_job
from darkroom.tests.kubeflow.cluster_double import (
    Cluster,
    Exchange,
    becomes,
    container,
    pod,
    running_cluster,
)

FINISHED = "2026-01-01T00:00:0{}Z"


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setattr(training_job, "_PAUSE_SECONDS", 0.01)
    with running_cluster() as double:
        yield double


def manifest(command: str = "train") -> dict:
    launcher = Launcher("team", "editor", "step", "u-1")
    return build_training_job("train", launcher, "darkroom:1", ["python", command], 2, {})


def run(cluster: Cluster, timeout_seconds: float = 60, take=lambda: None) -> None:
    run_training_job(manifest(), timeout_seconds, take, cluster.api())


def failing(cluster: Cluster, timeout_seconds: float = 60) -> str:
    with pytest.raises(TrainingJobError) as caught:
        run(cluster, timeout_seconds)
    return str(caught.value)


def pods(phase: str) -> list[dict]:
    return [pod(f"train-worker-{number}", phase) for number in (0, 1)]


def test_a_job_is_created_followed_and_deleted(cluster, caplog):
    caplog.set_level("INFO", logger="darkroom.progress")
    cluster.pods = pods("Pending")
    cluster.changes.extend(
        [
            becomes("Created"),
            becomes("Running", pods=pods("Running")),
            becomes("Succeeded", pods=pods("Succeeded")),
        ]
    )
    run(cluster)
    assert cluster.job is None
    lines = [record.message for record in caplog.records]
    assert [line for line in lines if line.startswith("TFJob")] == [
        f"TFJob team/train  {what}" for what in ("created", "running", "succeeded")
    ]
    assert [line for line in lines if "worker-1" in line] == [
        f"  train-worker-1  {phase}" for phase in ("Pending", "Running", "Succeeded")
    ]


def test_a_second_try_awaits_the_same_job(cluster, caplog):
    caplog.set_level("INFO", logger="darkroom.progress")
    cluster.job = manifest()
    cluster.job["metadata"] |= {"uid": "1", "resourceVersion": "1"}
    cluster.changes.append(becomes("Succeeded"))
    run(cluster)
    assert cluster.count("POST", "/tfjobs") == 1
    assert "found again" in caplog.text


def test_the_job_is_there_until_its_result_is_taken(cluster):
    """Otherwise a store that does not answer for a moment would cost the whole training."""

    def refuse():
        assert cluster.job is not None
        raise ConnectionError

    cluster.changes.append(becomes("Succeeded"))
    with pytest.raises(ConnectionError):
        run(cluster, take=refuse)
    taken = []
    run(cluster, take=lambda: taken.append(cluster.job is not None))
    assert (taken, cluster.job) == ([True], None)
    assert cluster.count("DELETE", "/train") == 1


def test_a_worker_that_fails_after_the_chief_is_done_does_not_matter(cluster):
    """The operator then gives the job both conditions."""

    def both(exchange: Exchange) -> None:
        cluster.job["status"] = {"conditions": [{"type": "Succeeded", "status": "True"}]}
        becomes("Failed", "1 Worker replica(s) failed")(exchange)

    cluster.changes.append(both)
    run(cluster)
    assert cluster.job is None


def test_pods_of_a_job_that_had_the_name_before_are_not_looked_at(cluster, monkeypatch):
    monkeypatch.setattr(training_job, "STUCK_SECONDS", 0.0)
    waiting = {"waiting": {"reason": "ImagePullBackOff"}}
    status = container(waiting)
    cluster.pods = [pod("train-worker-0", "Pending", owner="0", containerStatuses=status)]
    cluster.changes.append(becomes("Succeeded"))
    run(cluster)


@pytest.mark.parametrize("reason", ["failed", "differs"])
def test_an_earlier_job_that_does_not_do_is_replaced(cluster, reason):
    cluster.job = manifest("train" if reason == "failed" else "something else")
    conditions = [{"type": "Failed", "status": "True"}] if reason == "failed" else []
    cluster.job["metadata"]["uid"] = "0"
    cluster.job |= {"status": {"conditions": conditions}}
    cluster.changes.append(becomes("Succeeded"))
    run(cluster)
    assert cluster.count("DELETE", "/train") == 2, "the earlier one, and ours in the end"
    assert cluster.count("POST", "/tfjobs") == 2


def gone(exchange: Exchange) -> None:
    exchange.event("ERROR", {"kind": "Status", "code": 410, "reason": "Gone", "message": "too old"})


def test_broken_watches_are_taken_up_again(cluster):
    cluster.refuse("GET", "watch", 410, "too old resource version")
    cluster.changes.extend(
        [gone, Exchange.drop, becomes("Running"), Exchange.drop, becomes("Succeeded")]
    )
    run(cluster)
    assert not cluster.changes


def test_a_cluster_that_is_out_of_order_for_a_while_does_not_matter(cluster):
    cluster.refuse("POST", "tfjobs", 503, "starting")
    cluster.refuse("GET", "tfjobs", 503, "etcd has no leader", times=3)
    cluster.refuse("GET", "pods", 500, "timeout")
    cluster.changes.append(becomes("Succeeded"))
    run(cluster)


def test_the_error_of_a_failed_job_shows_the_first_failed_pods_last_lines(cluster):
    cluster.log = "epoch 1\nTrainerError: no example\n"
    ends = [{"terminated": {"exitCode": 1, "finishedAt": FINISHED.format(n)}} for n in (5, 2)]
    failed = [
        pod(f"train-worker-{number}", "Failed", containerStatuses=container(state))
        for number, state in enumerate(ends)
    ]
    cluster.changes.append(becomes("Failed", "TFJob train has failed", failed))
    message = failing(cluster)
    assert message.startswith("TFJob team/train failed: TFJob train has failed")
    assert message.endswith("of pod train-worker-1:\nepoch 1\nTrainerError: no example")
    assert cluster.job is not None, "its pods and their logs stay"


def test_a_failed_job_whose_log_is_gone_still_says_that_it_failed(cluster):
    cluster.refuse("GET", "log", 404, "pod is gone")
    cluster.changes.append(becomes("Failed", "", [pod("train-worker-0", "Failed")]))
    assert "log of pod train-worker-0 cannot be read (pod is gone)" in failing(cluster)


FORBIDDEN = (
    'tfjobs.kubeflow.org is forbidden: User "system:serviceaccount:team:pipeline-runner" cannot '
    'create resource "tfjobs" in API group "kubeflow.org" in the namespace "team"'
)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_missing_right_names_account_verbs_and_remedy(cluster, method):
    cluster.refuse(method, "tfjobs", 403, FORBIDDEN)
    message = failing(cluster)
    assert "\n" not in message
    assert "system:serviceaccount:team:pipeline-runner lacks a right" in message
    assert "get, list, watch, create, delete on tfjobs.kubeflow.org" in message
    assert "apply kubeflow/manifests/training-rbac.yaml" in message


def test_a_cluster_without_the_operator_is_told(cluster):
    cluster.refuse("POST", "tfjobs", 404, "the server could not find the requested resource")
    assert "install Kubeflow's training operator" in failing(cluster)


@pytest.mark.parametrize(
    ("status", "word"), [(401, "service account"), (422, "refused it with 422")]
)
def test_other_refusals_are_one_line(cluster, status, word):
    cluster.refuse("POST", "tfjobs", status, "no")
    assert word in failing(cluster)


def test_an_image_that_cannot_be_pulled_ends_the_job(cluster, monkeypatch):
    monkeypatch.setattr(training_job, "STUCK_SECONDS", 0.0)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling darkroom:1"}}
    cluster.pods = [pod("train-worker-0", "Pending", containerStatuses=container(waiting))]
    message = failing(cluster)
    assert "ImagePullBackOff: Back-off pulling darkroom:1; check the image" in message
    assert cluster.job is None


def test_an_image_that_comes_late_is_waited_for(cluster):
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "timeout"}}
    cluster.pods = [pod("train-worker-0", "Pending", containerStatuses=container(waiting))]
    cluster.changes.append(becomes("Succeeded", pods=pods("Succeeded")))
    run(cluster)


def test_a_job_that_takes_too_long_is_deleted_and_says_what_it_waits_for(cluster):
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    }
    cluster.pods = [pod("train-worker-1", "Pending", conditions=[condition])]
    message = failing(cluster, timeout_seconds=0.5)
    assert "not finished after 0.5 s; train-worker-1: not scheduled: 0/3 nodes" in message
    assert cluster.job is None


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        (
            [],
            "it has no pods: `kubectl get events -n team --field-selector",
        ),
        (
            [
                pod(
                    "train-worker-0",
                    "Pending",
                    containerStatuses=container({"waiting": {"reason": "ContainerCreating"}}),
                )
            ],
            "train-worker-0: ContainerCreating; the job is deleted",
        ),
    ],
)
def test_what_no_pod_says_is_said_as_well(cluster, pods, words):
    """A quota that is used up; a volume that cannot be mounted."""
    cluster.pods = pods
    assert f"not finished after 0.5 s; {words}" in failing(cluster, timeout_seconds=0.5)


def test_sigterm_deletes_the_job(cluster):
    before = signal.getsignal(signal.SIGTERM)
    cluster.changes.append(lambda exchange: os.kill(os.getpid(), signal.SIGTERM))
    assert "stopped, because this step was; the job is deleted" in failing(cluster)
    assert cluster.job is None
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_job_that_somebody_deletes_is_an_error(cluster):
    def vanish(exchange: Exchange) -> None:
        exchange.cluster.job = None
        exchange.send(200, b"")

    cluster.changes.append(vanish)
    assert "somebody deleted it while it ran" in failing(cluster)


def test_outside_of_a_cluster_the_remedy_is_named(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(TrainingJobError, match=r"kubeflow\.workers: .*set workers to 1"):
        run_training_job(manifest(), 1, lambda: None)


def test_it_runs_in_any_thread(cluster):
    cluster.changes.append(becomes("Succeeded"))
    thread = threading.Thread(target=run, args=(cluster,))
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert cluster.job is None
