"""What Pusher does."""

from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from darkroom.components.example_images import read_images
from darkroom.components.model_artifact import serving_model
from darkroom.components.pusher.config import PushConfig
from darkroom.records.artifacts import read_properties
from darkroom.records.blessing import Blessing
from darkroom.records.evaluation import Evaluation
from darkroom.records.origin import Origin
from darkroom.records.push import PushOutcome, PushState
from darkroom.serving.warmup import write_warmup_requests
from darkroom.storage.fingerprint import model_digest
from darkroom.storage.versions.place import open_place
from darkroom.storage.versions.served import Version
from darkroom.storage.versions.withdrawn import explain_withdrawn


class Executor(base_executor.BaseExecutor):
    """Pushes the model, or records why not; "not blessed" is a result, not an error."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        push = PushConfig.model_validate_json(exec_properties["push"])
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        Path(pushed.uri).mkdir(parents=True, exist_ok=True)
        place = open_place(push.destination)
        served = place.newest()
        refusal = _refusal(input_dict)
        if refusal:
            _mark(pushed, "not_blessed", served, refusal)
            return
        model = serving_model(input_dict["model"])
        digest = model_digest(model)
        if served and place.digest(served) == digest:
            _mark(pushed, "unchanged", served, f"version {served.number} is this very model")
            return
        withdrawn = place.withdrawn().get(digest)
        if withdrawn:
            _mark(pushed, "withdrawn", served, explain_withdrawn(push.destination, withdrawn))
            return
        images = read_images(
            input_dict["examples"], "eval", max(push.warmup_batch_sizes, default=0)
        )
        origin = self._find_origin(input_dict, exec_properties["pipeline"], digest)

        def complete(copy: Path) -> None:
            encoded = [image.encoded for image in images]
            write_warmup_requests(copy, push.model_name, encoded, push.warmup_batch_sizes)
            origin.write(copy)

        _mark(pushed, "pushed", place.add(model, complete), "")

    def _find_origin(
        self, input_dict: dict[str, list[Artifact]], pipeline: str, digest: str
    ) -> Origin:
        run = getattr(self._context, "pipeline_run_id", None)
        evaluation = Evaluation.read(Path(artifact_utils.get_single_uri(input_dict["evaluation"])))
        return Origin(pipeline, run, evaluation.overall.candidate, digest)


def _refusal(input_dict: dict[str, list[Artifact]]) -> str:
    """Why the model must not be pushed, or an empty string."""
    reasons = []
    for key, node in (("model_blessing", "Evaluator"), ("infra_blessing", "ServingCheck")):
        artifact = artifact_utils.get_single_instance(input_dict[key])
        blessing = Blessing.read(read_properties(artifact))
        if not blessing.blessed:
            reasons.append(f"{node}: {blessing.reason or 'no reason given'}")
    return "; ".join(reasons)


def _mark(pushed: Artifact, state: PushState, served: Version | None, reason: str) -> None:
    version, destination = (served.number, str(served.path)) if served else (0, "")
    PushOutcome(state, version, destination, reason).write(pushed)
