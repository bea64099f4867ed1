"""What Kubeflow Pipelines keeps: pipelines, versions, experiments, runs, recurring runs.

Each function that creates something creates it once, whatever answer is lost. Names of pipelines,
versions and experiments are unique on the server. Those of runs and recurring runs are not, so
each of them carries a mark of its own in its description.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import kfp_server_api.models as models

from darkroom.kubeflow.server.access import NotFoundError, RefusedError
from darkroom.kubeflow.server.lineage import read_push
from darkroom.kubeflow.server.rest import Rest
from darkroom.records.push import PushOutcome

_BASE: Final = "/apis/v2beta1"


class Version(NamedTuple):
    """A version of a pipeline.

    Attributes:
        pipeline: Id of the pipeline.
        version: Id of the version.
        is_new: Whether it has just been uploaded.
    """

    pipeline: str
    version: str
    name: str
    is_new: bool


class Job(NamedTuple):
    """What a run, or each run of a schedule, is to do.

    Attributes:
        experiment: Id of the experiment.
        service_account: Of the pods; empty: the server's default.
    """

    experiment: str
    version: Version
    arguments: Mapping[str, Any]
    root: str
    service_account: str = ""


class Api:
    """A Kubeflow Pipelines server.

    Args:
        namespace: Namespace of the user, where the server has several; else empty.

    Raises:
        ApiError: In each method, where a request failed, in the end.
    """

    def __init__(self, rest: Rest, namespace: str = ""):
        self._rest = rest
        self._namespace = namespace
        self.host = rest.host

    def check(self) -> None:
        """Raises ApiError where the server is not there, or wants a namespace and has none."""
        health = self._rest.get(f"{_BASE}/healthz", "V2beta1GetHealthzResponse")
        if health.multi_user and not self._namespace:
            raise RefusedError(
                f"--namespace: {self.host} has several users; give the namespace of your profile"
            )

    def ensure_version(self, pipeline: str, version: str, content: bytes) -> Version:
        """Uploads a version of a pipeline, which is created where it does not exist.

        The version's name stands for its content.
        """
        found = self._find_pipeline(pipeline)
        is_known = found is not None
        if found is None:
            body = models.V2beta1Pipeline(display_name=pipeline, namespace=self._namespace or None)
            found = self._rest.create(
                f"{_BASE}/pipelines",
                body,
                "V2beta1Pipeline",
                lambda: self._find_pipeline(pipeline),
            )
        owner: str = found.pipeline_id
        known = self._find_version(owner, version) if is_known else None
        uploaded = known or self._rest.create(
            f"{_BASE}/pipelines/upload_version",
            content,
            "V2beta1PipelineVersion",
            lambda: self._find_version(owner, version),
            {"name": version, "pipelineid": owner},
        )
        return Version(owner, uploaded.pipeline_version_id, version, known is None)

    def ensure_experiment(self, name: str) -> str:
        """Returns the id of an experiment, which is created where it does not exist."""
        body = models.V2beta1Experiment(display_name=name, namespace=self._namespace or None)
        experiment = self._find_experiment(name) or self._rest.create(
            f"{_BASE}/experiments",
            body,
            "V2beta1Experiment",
            lambda: self._find_experiment(name),
        )
        return str(experiment.experiment_id)

    def find_experiment(self, name: str) -> str | None:
        """Returns the id of an experiment, or None."""
        found = self._find_experiment(name)
        return found.experiment_id if found else None

    def create_run(self, job: Job, name: str, mark: str) -> str:
        """Starts a run; returns its id. `mark` is its description, which no other has."""
        body = models.V2beta1Run(display_name=name, description=mark, **_describe(job))

        def find() -> list[Any]:
            chosen = {"experiment_id": job.experiment}
            found = self._list("runs", "V2beta1ListRunsResponse", name, **chosen)
            return [run for run in found if run.description == mark]

        return self._create_one("runs", body, "V2beta1Run", find, "run_id")

    def get_run(self, run_id: str) -> Any:
        """Returns a run as a `V2beta1Run`, its tasks in `run_details.task_details`."""
        return self._rest.get(f"{_BASE}/runs/{quote(run_id, safe='')}", "V2beta1Run")

    def find_push(self, run_id: str) -> PushOutcome | None:
        """Looks up in ML Metadata what the run's Pusher said; None where nobody knows."""
        return read_push(self._rest, run_id)

    def list_schedules(self, experiment: str, name: str = "") -> list[Any]:
        """Returns recurring runs, all or those of a name: `V2beta1RecurringRun`, oldest first."""
        found = self._list(
            "recurringruns",
            "V2beta1ListRecurringRunsResponse",
            name,
            experiment_id=experiment,
            field="recurring_runs",
        )
        return sorted(found, key=lambda item: (str(item.created_at), item.recurring_run_id))

    def create_schedule(self, job: Job, name: str, mark: str, settings: Mapping[str, Any]) -> str:
        """Creates a recurring run; returns its id. `mark` is its description, which no other has.

        Args:
            settings: Further fields of `V2beta1RecurringRun`: trigger, mode and so on.
        """
        body = models.V2beta1RecurringRun(
            display_name=name,
            description=mark,
            namespace=self._namespace or None,
            **_describe(job),
            **settings,
        )

        def find() -> list[Any]:
            found = self.list_schedules(job.experiment, name)
            return [item for item in found if item.description == mark]

        return self._create_one(
            "recurringruns", body, "V2beta1RecurringRun", find, "recurring_run_id"
        )

    def delete_schedule(self, identifier: str) -> None:
        """Deletes a recurring run; runs that it has started go on."""
        self._rest.delete(f"{_BASE}/recurringruns/{quote(identifier, safe='')}")

    def _create_one(self, kind: str, body: Any, answer: str, find: Any, identifier: str) -> str:
        """Creates a thing of which the server would take two; deletes what came late."""
        searched = False

        def find_first() -> Any:
            nonlocal searched
            searched = True
            return min(find(), key=_age(identifier), default=None)

        created = self._rest.create(f"{_BASE}/{kind}", body, answer, find_first)
        if not searched:
            return getattr(created, identifier)
        first, *late = sorted(find() or [created], key=_age(identifier))
        for item in late:
            self._rest.delete(f"{_BASE}/{kind}/{getattr(item, identifier)}")
        return getattr(first, identifier)

    def _find_pipeline(self, name: str) -> Any:
        try:
            return self._rest.get(
                f"{_BASE}/pipelines/names/{quote(name, safe='')}",
                "V2beta1Pipeline",
                {"namespace": self._namespace},
            )
        except NotFoundError:
            return None

    def _find_version(self, pipeline: str, name: str) -> Any:
        found = self._list(
            f"pipelines/{quote(pipeline, safe='')}/versions",
            "V2beta1ListPipelineVersionsResponse",
            name,
            field="pipeline_versions",
        )
        return next(iter(found), None)

    def _find_experiment(self, name: str) -> Any:
        found = self._list(
            "experiments", "V2beta1ListExperimentsResponse", name, namespace=self._namespace
        )
        return next(iter(found), None)

    def _list(self, kind: str, answer: str, name: str, field: str = "", **query: str) -> list[Any]:
        """Returns what has this name, exactly: the server's comparison may overlook case."""
        predicate = {"operation": "EQUALS", "key": "display_name", "string_value": name}
        chosen = json.dumps({"predicates": [predicate]}) if name else ""
        found = self._rest.list(
            f"{_BASE}/{kind}", answer, field or kind, {**query, "filter": chosen}
        )
        return [item for item in found if not name or item.display_name == name]


def _age(identifier: str) -> Any:
    return lambda item: (str(item.created_at), getattr(item, identifier))


def _describe(job: Job) -> dict[str, Any]:
    """Returns the fields that runs and recurring runs share."""
    return {
        "experiment_id": job.experiment,
        "pipeline_version_reference": models.V2beta1PipelineVersionReference(
            pipeline_id=job.version.pipeline, pipeline_version_id=job.version.version
        ),
        "runtime_config": models.V2beta1RuntimeConfig(
            parameters=dict(job.arguments), pipeline_root=job.root
        ),
        "service_account": job.service_account or None,
    }
