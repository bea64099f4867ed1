"""Trainer's step as a launcher, and as one of the workers that it launches."""

import base64
import json
from pathlib import Path

import pytest

from darkroom.kubeflow import distributed_step, executor_input, training_job
from darkroom.kubeflow.distributed_step import (
    WorkerError,
    launch,
    read_service_account,
    run_as_worker,
)
from darkroom.kubeflow.executor_input import read_step_input
from darkroom.storage.object_store import read_bytes, write_bytes
from darkroom.tests.kubeflow.cluster_double import becomes, running_cluster

INPUTS_SPEC = {
    "artifacts": {"examples": {"artifactType": {"instanceSchema": "title: tfx.Examples"}}}
}
OUTPUTS_SPEC = {"artifacts": {"model": {"artifactType": {"instanceSchema": "title: tfx.Model"}}}}
CLUSTER = {"worker": ["a:1", "b:1"]}
SETTINGS = {"workers": 2, "image": "darkroom:1", "step": {"timeout_seconds": 60}}
RUN = "s3://bucket/run"
ARGUMENTS = ["--executor_class_path", "X"]


def as_worker(monkeypatch, index):
    task = {"type": "worker", "index": index}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": CLUSTER, "task": task}))


def read_step(root, output_file):
    def listed(name):
        return {"artifacts": [{"name": name, "uri": f"{root}/{name}", "metadata": {}}]}

    invocation = {
        "inputs": {"artifacts": {"examples": listed("examples")}},
        "outputs": {"artifacts": {"model": listed("model")}, "outputFile": str(output_file)},
    }
    specs = (json.dumps(INPUTS_SPEC), json.dumps(OUTPUTS_SPEC))
    return read_step_input(json.dumps(invocation), *specs)


def work_on(step):
    """What an executor does: a file out of a file, and a word about it."""

    def work():
        content = Path(step.inputs["examples"][0].uri, "data").read_bytes()
        (model,) = step.outputs["model"]
        Path(model.uri).mkdir(parents=True, exist_ok=True)
        Path(model.uri, "model").write_bytes(content + b" learned")
        model.set_int_custom_property("steps", 3)

    return work


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Another folder in the place of `/`, where a worker's user may not write."""
    root = tmp_path / "root"
    local = {scheme: f"{root}{path}" for scheme, path in executor_input.LOCAL_ROOTS.items()}
    monkeypatch.setattr(executor_input, "LOCAL_ROOTS", local)
    yield root
    assert not root.exists()


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setattr(training_job, "_PAUSE_SECONDS", 0.01)
    with running_cluster() as double:
        monkeypatch.setattr(training_job, "_in_cluster", double.api)
        yield double


def test_chief_fetches_inputs_and_stores_outputs(bucket, roots, tmp_path, monkeypatch):
    write_bytes(f"{RUN}/examples/data", b"images")
    as_worker(monkeypatch, 0)
    step = read_step(RUN, tmp_path / "unused.json")
    run_as_worker(step, work_on(step))
    assert read_bytes(f"{RUN}/model/model") == b"images learned"
    answer = json.loads(read_bytes(f"{RUN}/model.answer.json"))
    (model,) = answer["artifacts"]["model"]["artifacts"]
    assert model == {"uri": f"{RUN}/model", "metadata": {"steps": 3}}


def test_other_workers_store_nothing(bucket, roots, tmp_path, monkeypatch):
    write_bytes(f"{RUN}/examples/data", b"images")
    as_worker(monkeypatch, 1)
    step = read_step(RUN, tmp_path / "unused.json")
    bucket.requests.clear()
    run_as_worker(step, work_on(step))
    assert not [request for request in bucket.requests if request.startswith(("PUT", "POST"))]


@pytest.mark.parametrize("index", [0, 1])
def test_what_a_worker_fetched_and_wrote_is_removed(
    bucket,
    roots,
    tmp_path,
    monkeypatch,
    index,
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    write_bytes(f"{RUN}/examples/data", b"images")
    as_worker(monkeypatch, index)
    step = read_step(RUN, tmp_path / "unused.json")
    seen = []

    def work():
        work_on(step)()
        seen.extend(step.inputs["examples"] + step.outputs["model"])

    run_as_worker(step, work)
    assert all(Path(artifact.uri).is_relative_to(temporary) for artifact in seen)
    assert not list(temporary.iterdir())


def test_the_step_launches_a_job_and_answers_what_the_chief_said(
    bucket,
    cluster,
    tmp_path,
    monkeypatch,
):
    write_bytes(f"{RUN}/examples/data", b"images")
    (tmp_path / "namespace").write_text("team")
    (tmp_path / "token").write_text(write_token("system:serviceaccount:team:runner"))
    monkeypatch.setattr(distributed_step, "_ACCOUNT_FOLDER", tmp_path)
    monkeypatch.setenv("KFP_POD_NAME", "step-pod")
    monkeypatch.setenv("KFP_POD_UID", "u-1")
    manifests = []

    def train(exchange):
        manifests.append(exchange.cluster.job)
        with monkeypatch.context() as patched:
            as_worker(patched, 0)
            chief = read_step(RUN, tmp_path / "unused.json")
            run_as_worker(chief, work_on(chief))
        becomes("Succeeded")(exchange)

    cluster.changes.append(train)
    step = read_step(RUN, tmp_path / "outputs" / "output.json")
    launch(step, SETTINGS, ARGUMENTS)
    answer = json.loads(step.output_file.read_text())
    assert answer["artifacts"]["model"]["artifacts"][0]["metadata"] == {"steps": 3}
    (manifest,) = manifests
    worker = manifest["spec"]["tfReplicaSpecs"]["Worker"]
    (container,) = worker["template"]["spec"]["containers"]
    program = ["python", "-m", "darkroom.kubeflow.entrypoint"]
    assert container["command"] == [*program, *ARGUMENTS, "--training_worker"]
    assert (worker["replicas"], container["image"]) == (2, "darkroom:1")
    assert manifest["metadata"]["ownerReferences"][0]["name"] == "step-pod"
    assert manifest["metadata"]["namespace"] == "team"
    assert worker["template"]["spec"]["serviceAccountName"] == "runner"


def write_token(subject):
    claims = json.dumps({"iss": "https://kubernetes", "sub": subject}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


@pytest.mark.parametrize(
    ("token", "account"),
    [
        (write_token("system:serviceaccount:kubeflow:pipeline-runner"), "pipeline-runner"),
        (write_token("system:serviceaccount:a:b"), "b"),
        (write_token("somebody"), ""),
        (write_token(None), ""),
        ("e30.e30.x", ""),
        ("opaque", ""),
        ("a.%.c", ""),
    ],
)
def test_the_workers_account_is_that_of_the_step(token, account):
    assert read_service_account(token) == account


def test_a_chief_that_left_nothing_is_an_error(bucket, cluster, tmp_path):
    cluster.changes.append(becomes("Succeeded"))
    step = read_step(RUN, tmp_path / "output.json")
    with pytest.raises(WorkerError, match=r"the chief left no answer: .*model\.answer\.json"):
        launch(step, SETTINGS, ARGUMENTS)
    assert not step.output_file.exists()


def test_two_runs_leave_their_answers_in_two_places(tmp_path):
    places = {
        distributed_step.answer_location(read_step(f"gs://b/{run}", tmp_path / "output.json"))
        for run in ("one", "two")
    }
    assert places == {f"gs://b/{run}/model.answer.json" for run in ("one", "two")}
