"""What Evaluator does: TFX's evaluation, around it the baseline's absence and readable results."""

import json
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import proto_utils

from darkroom.components.errors import ComponentError
from darkroom.components.evaluator.config import EvaluationConfig
from darkroom.components.evaluator.eval_config import build_eval_config
from darkroom.components.evaluator.results import describe_failures, read_results
from darkroom.components.example_images import iterate_images, judged_split
from darkroom.components.model_artifact import serving_model
from darkroom.records import progress
from darkroom.records.blessing import Blessing
from darkroom.records.counts import ExampleCounts
from darkroom.records.evaluation import EXAMPLE_COUNT, Evaluation
from darkroom.storage.fingerprint import model_digest
from darkroom.transform import features
from darkroom.transform.images import decode_images


class EvaluationError(ComponentError):
    """The split to judge by cannot be measured on; the message says why."""


BaselineState = Literal["compared", "absent", "identical", "other_classes"]


class Executor(tfx_evaluator.Executor):
    """Drops a baseline that cannot be compared with, evaluates, and writes `metrics.json`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        config = EvaluationConfig.model_validate_json(exec_properties["evaluation"])
        classes = _read_classes(input_dict["transform_graph"])
        state = baseline_state(
            serving_model(input_dict["model"]), serving_model(input_dict["baseline_model"]), classes
        )
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        evaluation = artifact_utils.get_single_instance(output_dict["evaluation_result"])
        for artifact in (blessing, evaluation):
            Path(artifact.uri).mkdir(parents=True, exist_ok=True)
        inputs = {key: input_dict[key] for key in ("examples", "model")}
        if state == "compared":
            inputs["baseline_model"] = input_dict["baseline_model"]
        eval_config = build_eval_config(config, len(classes))
        progress.begin("images")
        split = judged_split(input_dict["examples"])
        progress.expect(getattr(ExampleCounts.read(input_dict["examples"]), split) or 0)
        try:
            super().Do(
                inputs,
                {"evaluation": [evaluation], "blessing": [blessing]},
                {
                    "eval_config": proto_utils.proto_to_json(eval_config),
                    "example_splits": json.dumps([split]),
                    "custom_extractors": "darkroom.components.evaluator.counting.custom_extractors",
                },
            )
        except Exception:
            # TFMA's own words for such an example are a dump of arrays.
            _refuse_unusable(input_dict["examples"], classes)
            raise
        bounded = config.binds(compared=state == "compared")
        results = read_results(evaluation.uri, classes, state, bounded)
        if _count_named(results) < (results.overall.candidate[EXAMPLE_COUNT] or 0):
            # An image that cannot be decoded has probabilities of 0 alone, which name no class.
            _refuse_unusable(input_dict["examples"], classes)
        results.write(Path(evaluation.uri))
        # TFX blesses nothing where no bound applies.
        Blessing(results.blessed, describe_failures(results.failures)).write(blessing)


def baseline_state(candidate: Path, baseline: Path, classes: list[str]) -> BaselineState:
    """Whether the baseline can be compared with, and if not, why.

    A candidate that is the very model now served cannot improve on itself: it would fail every
    bound that demands an improvement, and with it every second run.

    Args:
        baseline: The baseline's SavedModel; it need not exist.
        classes: The candidate's class names in index order.

    Returns:
        `compared` where it can be.
    """
    if not baseline.is_dir():
        return "absent"
    if model_digest(candidate) == model_digest(baseline):
        return "identical"
    vocabulary = baseline / "assets" / features.LABEL_VOCABULARY
    if not vocabulary.is_file() or set(vocabulary.read_text().splitlines()) != set(classes):
        return "other_classes"
    return "compared"


def find_unusable(examples: list[Artifact], classes: list[str]) -> str:
    """Says which example cannot be measured, in one line; empty where all can be."""
    split = judged_split(examples)
    for image in iterate_images(examples, split):
        if image.label not in classes:
            return (
                f"{image.path!r} of the {split} split has the label {image.label!r}, which the "
                "training split does not have; add images of it, or let validation.fatal hold "
                "ENUM_TYPE_UNEXPECTED_STRING_VALUES"
            )
        _, valid = decode_images(tf.constant([image.encoded]), 32, 32, "stretch")
        if not valid.numpy()[0]:
            return f"{image.path!r} of the {split} split cannot be decoded by TensorFlow; remove it"
    return ""


def _count_named(results: Evaluation) -> int:
    return sum(map(sum, results.confusion.counts)) if results.confusion else 0


def _refuse_unusable(examples: list[Artifact], classes: list[str]) -> None:
    if unusable := find_unusable(examples, classes):
        raise EvaluationError(unusable)


def _read_classes(transform_graph: list[Artifact]) -> list[str]:
    output = tft.TFTransformOutput(artifact_utils.get_single_uri(transform_graph))
    names = output.vocabulary_by_name(features.LABEL_VOCABULARY)
    return [name.decode() for name in names]
