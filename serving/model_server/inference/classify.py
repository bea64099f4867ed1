"""Classify: examples in, classes with their scores out; the texts are TensorFlow Serving's."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Final

import numpy as np

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.inference.examples import ExampleApi, write_shape
from darkroom.serving.model_server.inference.signature_checks import CLASSIFY_METHOD
from darkroom.serving.protos.tensors import find_type

CLASSES: Final = "classes"
SCORES: Final = "scores"
_TYPES: Final = {CLASSES: "string", SCORES: "float"}


def _fill(result: Any, outputs: Mapping[str, np.ndarray], num_examples: int) -> None:
    """Writes the outputs of a model into an empty `ClassificationResult`.

    They are `classes`, strings, and `scores`, floats, both of shape (examples, classes); one of
    the two may be missing.
    """
    for name in (CLASSES, SCORES):
        if name in outputs:
            _check_output(name, outputs[name], num_examples)
    labels, scores = outputs.get(CLASSES), outputs.get(SCORES)
    if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
        raise InvalidArgument(
            "Tensors class and score should match in dim_size(1). Got "
            f"{labels.shape[1]} vs. {scores.shape[1]}"
        )
    label_rows = _to_rows(labels, num_examples)
    score_rows = _to_rows(scores, num_examples)
    for row in range(num_examples):
        classes = result.classifications.add().classes
        for label, score in zip_longest(label_rows[row], score_rows[row]):
            # protobuf's strings are text; TensorFlow's may be any bytes.
            text = label.decode("utf-8", "replace") if label is not None else None
            classes.add(label=text, score=score)


def _to_rows(array: np.ndarray | None, num_examples: int) -> list[list[Any]]:
    return [[] for _ in range(num_examples)] if array is None else array.tolist()


def _check_output(name: str, array: np.ndarray, num_examples: int) -> None:
    if array.ndim != 2:
        raise InvalidArgument(
            f"Expected Tensor shape: [batch_size num_classes] but got {write_shape(array)}"
        )
    type_name = find_type(array).name
    if type_name != _TYPES[name]:
        raise InvalidArgument(
            f"Expected {name} Tensor of DT_{_TYPES[name].upper()}. Got: DT_{type_name.upper()}"
        )
    if len(array) != num_examples:
        raise InvalidArgument(
            f"Expected {name} output batch size of {num_examples}. Got: {len(array)}"
        )


classify: Final = ExampleApi(
    kind="classification",
    method=CLASSIFY_METHOD,
    outputs=(CLASSES, SCORES),
    wrong_count="Expected one or two output Tensors, found {}",
    wrong_names="Expected classification signature outputs to contain at least one of "
    f'"{CLASSES}" or "{SCORES}". Signature was: ',
    fill=_fill,
)
"""Answers a `ClassificationRequest` with a `ClassificationResponse`."""
