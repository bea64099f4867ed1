"""Trainer's step for several workers: the step launches a job, the job's pods do its work.

The pods run the step's own command, with `--training_worker` added. They do not see what Kubeflow's
launcher has copied for the step: each worker fetches the inputs from the object store itself, and
the chief puts the outputs there. They have no folders like the launcher's (`/s3/` …) either, nor
may their user make them: what a worker fetches and writes lies among its temporary files.
"""

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from darkroom.components.errors import ComponentError
from darkroom.kubeflow.executor_input import Artifacts, StepInput, write_step_output
from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.object_store import (
    download_folder,
    read_bytes,
    upload_folder,
    write_bytes,
)

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

    from darkroom.kubeflow.training_manifest import Launcher

WORKER_FLAG: Final = "--training_worker"
JOB_FLAG: Final = "--training_job"
DEFAULT_SECONDS: Final = 7 * 24 * 3600
_ACCOUNT_FOLDER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts a pod's namespace, and a token of its service account."""
_POD_VARIABLES: Final = ("KFP_POD_NAME", "KFP_POD_UID")


class WorkerError(ComponentError):
    """A worker cannot do the step's work; the message says why."""


def launch(step: StepInput, settings: Mapping[str, Any], arguments: Sequence[str]) -> None:
    """Lets a training job do the work of the step, and writes what it says about its outputs.

    Args:
        settings: `workers`, `image`, and `step`, what each pod gets.
        arguments: The entrypoint's own arguments, for the workers.

    Raises:
        TrainingJobError: The job cannot be run, or failed.
        WorkerError: The chief left no answer.
    """
    from darkroom.kubeflow.training_job import run_training_job
    from darkroom.kubeflow.training_manifest import build_training_job

    answer = answer_location(step)
    name = f"train-{hashlib.sha256(answer.encode()).hexdigest()[:24]}"
    manifest = build_training_job(
        name,
        _read_launcher(),
        settings["image"],
        ["python", "-m", "darkroom.kubeflow.entrypoint", *arguments, WORKER_FLAG],
        settings["workers"],
        settings["step"],
    )

    def take_answer() -> None:
        try:
            content = read_bytes(answer)
        except ObjectStoreError as error:
            raise WorkerError(f"the chief left no answer: {error}") from error
        step.output_file.parent.mkdir(parents=True, exist_ok=True)
        step.output_file.write_bytes(content)

    seconds = settings["step"].get("timeout_seconds") or DEFAULT_SECONDS
    run_training_job(manifest, seconds, take_answer)


def _read_launcher() -> "Launcher":
    """Finds out which pod this is."""
    from darkroom.kubeflow.training_manifest import Launcher

    pod, uid = (os.environ.get(variable, "") for variable in _POD_VARIABLES)
    try:
        namespace = (_ACCOUNT_FOLDER / "namespace").read_text().strip()
        token = (_ACCOUNT_FOLDER / "token").read_text()
    except OSError:
        return Launcher("default", "", pod, uid)
    return Launcher(namespace, read_service_account(token), pod, uid)


def read_service_account(token: str) -> str:
    """Returns whose a token of Kubernetes is; nothing where it does not say.

    The token is a JSON Web Token (RFC 7519) whose subject is system:serviceaccount:NAMESPACE:NAME.
    """
    try:
        _, claims, _ = token.split(".")
        padded = claims + "=" * (-len(claims) % 4)
        subject = str(json.loads(base64.urlsafe_b64decode(padded))["sub"])
        kind, account, _, name = subject.split(":")
    except (ValueError, KeyError, TypeError):
        return ""
    return name if (kind, account) == ("system", "serviceaccount") else ""


def run_as_worker(step: StepInput, work: Callable[[], None]) -> None:
    """Does the work of the step as one of several workers.

    Args:
        step: What Kubeflow tells the step; its artifacts are given other local paths.

    Raises:
        ObjectStoreError: Inputs cannot be fetched, or outputs not be stored.
    """
    from darkroom.trainer.cluster import CLUSTER_VARIABLE, read_cluster

    is_chief = read_cluster(os.environ.get(CLUSTER_VARIABLE)).is_chief
    with tempfile.TemporaryDirectory() as folder:
        for uri, artifact in _with_uris(step.inputs, step.input_uris):
            artifact.uri = tempfile.mkdtemp(dir=folder)
            download_folder(uri, Path(artifact.uri))
        for _, artifact in _with_uris(step.outputs, step.uris):
            artifact.uri = tempfile.mkdtemp(dir=folder)
        work()
        if not is_chief:
            return
        for uri, artifact in _with_uris(step.outputs, step.uris):
            upload_folder(Path(artifact.uri), uri)
        step.output_file = Path(folder) / "answer.json"
        write_step_output(step)
        write_bytes(answer_location(step), step.output_file.read_bytes())


def answer_location(step: StepInput) -> str:
    """Returns where the chief leaves its answer: beside the first output, else WorkerError."""
    for uri, _ in _with_uris(step.outputs, step.uris):
        return f"{uri}.answer.json"
    raise WorkerError("a step without outputs cannot be divided among workers")


def _with_uris(
    artifacts: Artifacts, uris: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, "Artifact"]]:
    """Each artifact with its URI in the object store."""
    for name, listed in artifacts.items():
        yield from zip(uris[name], listed, strict=True)
