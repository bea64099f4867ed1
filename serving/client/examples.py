"""tf.Example without TensorFlow: what classify and regress take."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from darkroom.serving.client.arrays import to_array

Example = Mapping[str, Any]
"""Feature name to a value, a list or an array: numbers, text or bytes."""


class ClassScore(NamedTuple):
    """One class of a classification.

    Attributes:
        label: Name of the class; empty if the model gives none.
        score: Its score; 0 if the model gives none.
    """

    label: str
    score: float


def read_feature(name: str, value: Any) -> list[Any]:
    """Returns the values of a feature: all float, all int, or all bytes or str; else ValueError."""
    array = np.atleast_1d(to_array(value))
    if array.ndim != 1:
        raise ValueError(f"feature {name!r} has {array.ndim} dimensions; a feature is a flat list")
    if array.dtype.kind in "fiub":
        return (array.astype(int) if array.dtype.kind == "b" else array).tolist()
    values = array.tolist()
    if not all(isinstance(item, bytes | str) for item in values):
        raise ValueError(f"feature {name!r} has values that are not numbers, text or bytes")
    return values


def fill_input(input_: Any, examples: Sequence[Example], context: Example | None) -> None:
    """Writes examples into an empty `tensorflow.serving.Input`.

    Args:
        context: Features that all examples share.

    Raises:
        ValueError: A feature that no tf.Example can have.
    """
    if context is None:
        target = input_.example_list
    else:
        target = input_.example_list_with_context
        _fill_example(target.context, context)
    for example in examples:
        _fill_example(target.examples.add(), example)


def _fill_example(message: Any, example: Example) -> None:
    for name, value in example.items():
        feature = message.features.feature[name]
        values = read_feature(name, value)
        if not values:
            continue
        if isinstance(values[0], float):
            feature.float_list.value.extend(values)
        elif isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        else:
            feature.bytes_list.value.extend(
                item.encode() if isinstance(item, str) else item for item in values
            )
