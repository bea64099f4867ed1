"""Tensors to the body of a REST answer; numbers are written as TensorFlow Serving writes them."""

import base64
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.rest.json_request import Layout
from darkroom.serving.model_server.rest.json_text import format_floats
from darkroom.serving.protos.tensors import TensorError, find_type

_FLOATS: Final = frozenset(map(np.dtype, ("f4", "f8")))
_INTEGERS: Final = frozenset(map(np.dtype, ("i1", "u1", "i2", "i4", "u4", "i8", "u8")))
"""TensorFlow Serving has no JSON for halves and uint16."""
_SLICE: Final = 10_000
"""Numbers written in one go, which takes 10 ms: no other thread runs meanwhile."""
_encode_string: Final = json.JSONEncoder(ensure_ascii=False).encode


def write_outputs(outputs: Mapping[str, np.ndarray], layout: Layout) -> bytes:
    """Returns the body of a predict answer.

    Args:
        outputs: Output name to array, at least one. A single output is written without its name.
        layout: `row` writes `predictions`, an element per instance; `column` writes `outputs`.

    Raises:
        InvalidArgument: `row`, and the outputs do not agree in their first dimension; or an
            output's type has no form in JSON.
    """
    if not outputs:
        raise InvalidArgument("Cannot convert empty tensor map to JSON")
    if layout == "column":
        (text,) = _join_outputs(outputs, keep_axes=0)
        return _wrap("outputs", text)
    _check_batch_sizes(outputs)
    return _wrap("predictions", _write_list(_join_outputs(outputs, keep_axes=1)))


def write_classifications(result: Any) -> bytes:
    """Returns the body of the answer that is a `ClassificationResult`, which must not be empty."""
    if not result.classifications:
        raise InvalidArgument("Cannot convert empty ClassificationResults to JSON")
    rows = []
    for classifications in result.classifications:
        labels = [_encode_string(c.label) for c in classifications.classes]
        scores = format_floats(np.array([c.score for c in classifications.classes], np.float32))
        rows.append(_write_list(map(_write_list, zip(labels, scores, strict=True))))
    return _wrap("results", _write_list(rows))


def write_regressions(result: Any) -> bytes:
    """Returns the body of the answer that is a `RegressionResult`, which must not be empty."""
    if not result.regressions:
        raise InvalidArgument("Cannot convert empty RegressionResults to JSON")
    values = np.array([regression.value for regression in result.regressions], np.float32)
    return _wrap("results", _write_list(format_floats(values)))


def _join_outputs(outputs: Mapping[str, np.ndarray], keep_axes: int) -> list[str]:
    """Returns a text for each element of the kept dimensions: its value in each output."""
    texts = [_write_tensor(name, outputs[name], keep_axes) for name in sorted(outputs)]
    if len(texts) == 1:
        return texts[0]
    keys = [f"{_encode_string(name)}: " for name in sorted(outputs)]
    return [_write_object(map(str.__add__, keys, row)) for row in zip(*texts, strict=True)]


def _check_batch_sizes(outputs: Mapping[str, np.ndarray]) -> None:
    batch_size: int | None = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise InvalidArgument(f"Tensor name: {name} has no shape information ")
        if batch_size is not None and array.shape[0] != batch_size:
            raise InvalidArgument(
                f"Tensor name: {name} has inconsistent batch size: {array.shape[0]} "
                f"expecting: {batch_size}"
            )
        batch_size = array.shape[0]


def _wrap(key: str, body: str) -> bytes:
    return f'{{\n    "{key}": {body}\n}}'.encode("utf-8", "surrogateescape")


def _write_list(items: Iterable[str]) -> str:
    return "[" + ", ".join(items) + "]"


def _write_object(members: Iterable[str]) -> str:
    return "{" + ", ".join(members) + "}"


def _write_tensor(name: str, array: np.ndarray, keep_axes: int) -> list[str]:
    """Returns nested lists, one for each element of the outermost dimensions that are kept."""
    items = _write_leaves(name, array)
    for axis in reversed(range(keep_axes, array.ndim)):
        leaves, size = iter(items), array.shape[axis]
        count = math.prod(array.shape[:axis])
        items = [_write_list(itertools.islice(leaves, size)) for _ in range(count)]
    return items


def _write_leaves(name: str, array: np.ndarray) -> list[str]:
    flat = array.ravel()
    if array.dtype == object:
        return _write_strings(name, flat.tolist())
    if array.dtype not in _FLOATS | _INTEGERS | {np.dtype(bool)}:
        raise InvalidArgument(f"Failed to write JSON value for tensor type: {_name_type(array)}")
    texts: list[str] = []
    for start in range(0, flat.size, _SLICE):
        texts += _write_numbers(flat[start : start + _SLICE])
    return texts


def _write_numbers(values: np.ndarray) -> list[str]:
    if values.dtype in _FLOATS:
        return format_floats(values)
    if values.dtype == bool:
        return ["true" if value else "false" for value in values.tolist()]
    return list(map(str, values.tolist()))


def _write_strings(name: str, values: list[bytes]) -> list[str]:
    # TensorFlow knows only one string type; the name's ending says that it is binary.
    if not name.endswith("_bytes"):
        return [_encode_string(value.decode("utf-8", "surrogateescape")) for value in values]
    return [f'{{"b64": "{base64.b64encode(value).decode("ascii")}"}}' for value in values]


def _name_type(array: np.ndarray) -> str:
    try:
        return find_type(array).name
    except TensorError:
        return str(array.dtype)
