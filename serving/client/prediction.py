"""The answer for one image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from darkroom.serving.client.errors import AnswerError

INPUT: Final = "image_bytes"
OUTPUTS: Final = ("label", "score", "probabilities", "classes", "valid")
"""Names in the signature `serving_default` (serving/signatures.py)."""


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image.

    Attributes:
        label: The class; empty if the image could not be decoded.
        score: Probability of that class.
        probabilities: Class to probability, in the model's order; all 0 if not valid.
        valid: Whether the image could be decoded.
    """

    label: str
    score: float
    probabilities: Mapping[str, float]
    valid: bool

    def top(self, count: int) -> list[tuple[str, float]]:
        """Returns the most probable classes with their probabilities, the best first."""
        ranked = sorted(self.probabilities.items(), key=lambda item: item[1], reverse=True)
        return ranked[:count]


def read_predictions(outputs: Mapping[str, Any], count: int) -> list[Prediction]:
    """Returns the predictions in an answer of `serving_default`.

    Args:
        outputs: Output name to array or nested list; strings as str or bytes.
        count: How many images were asked about.

    Raises:
        AnswerError: An output is missing or has another size.
    """
    missing = [name for name in OUTPUTS if name not in outputs]
    if missing:
        raise AnswerError(
            f"the answer has no {', '.join(missing)}; is this an image classification model?"
        )
    sizes = {name: len(outputs[name]) for name in OUTPUTS}
    if set(sizes.values()) != {count}:
        raise AnswerError(f"the answer is not for {count} images: {sizes}")
    return [_read_prediction({name: outputs[name][i] for name in OUTPUTS}) for i in range(count)]


def _read_prediction(row: Mapping[str, Any]) -> Prediction:
    # REST sends a decimal text of the float32 that gRPC sends as it is.
    probabilities = np.asarray(row["probabilities"], np.float32).tolist()
    classes = [_to_text(name) for name in row["classes"]]
    if len(classes) != len(probabilities):
        raise AnswerError(
            f"the answer has {len(classes)} classes and {len(probabilities)} probabilities"
        )
    return Prediction(
        label=_to_text(row["label"]),
        score=float(np.float32(row["score"])),
        probabilities=dict(zip(classes, probabilities, strict=True)),
        valid=bool(row["valid"]),
    )


def _to_text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
