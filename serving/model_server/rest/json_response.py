"""Tensors to the body of a REST answer, character by character as TensorFlow Serving writes it."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.rest.json_request import Layout
from darkroom.serving.model_server.rest.json_text import format_floats, nest
from darkroom.serving.protos.tensors import TensorError, find_type

_LINE = ("[", ", ", "]")
"""Brackets and separator of a list on one line."""
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
    named = dict(sorted(outputs.items()))
    text = _write_rows(named) if layout == "row" else _write_columns(named)
    return text.encode("utf-8", "surrogateescape")


def write_classifications(result: Any) -> bytes:
    """Returns the body of a classify answer.

    Args:
        result: `ClassificationResult`.

    Raises:
        InvalidArgument: It is empty.
    """
    if not result.classifications:
        raise InvalidArgument("Cannot convert empty ClassificationResults to JSON")
    rows = []
    for classifications in result.classifications:
        labels = [_encode_string(c.label) for c in classifications.classes]
        scores = format_floats(np.array([c.score for c in classifications.classes], np.float32))
        pairs = [f"[{label}, {score}]" for label, score in zip(labels, scores, strict=True)]
        rows.append("[" + ", ".join(pairs) + "]")
    return _wrap("results", "[" + ", ".join(rows) + "\n    ]").encode()


def write_regressions(result: Any) -> bytes:
    """Returns the body of a regress answer.

    Args:
        result: `RegressionResult`.

    Raises:
        InvalidArgument: It is empty.
    """
    if not result.regressions:
        raise InvalidArgument("Cannot convert empty RegressionResults to JSON")
    values = np.array([regression.value for regression in result.regressions], np.float32)
    return _wrap("results", "[" + ", ".join(format_floats(values)) + "]").encode()


def write_error(message: str) -> bytes:
    """Returns the body of an answer that is an error."""
    # The message may repeat a string of the request that has no UTF-8 form.
    return json.dumps({"error": message}, indent=4, ensure_ascii=False).encode("utf-8", "replace")


def _write_rows(outputs: Mapping[str, np.ndarray]) -> str:
    _check_batch_sizes(outputs)
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        rows = _write_each_row(name, array, depth=2)
        return _wrap("predictions", "[" + ", ".join(rows) + "\n    ]" if rows else "[]")
    columns = [_write_each_row(name, array, depth=3) for name, array in outputs.items()]
    keys = [_write_key(name, depth=3) for name in outputs]
    objects = [_join_members(keys, row, depth=2) for row in zip(*columns, strict=True)]
    separator = ",\n" + _indent(2)
    body = f"[\n{_indent(2)}{separator.join(objects)}\n{_indent(1)}]" if objects else "[]"
    return _wrap("predictions", body)


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


def _write_columns(outputs: Mapping[str, np.ndarray]) -> str:
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        return _wrap("outputs", _write_indented(name, array, depth=1))
    members = {name: _write_indented(name, array, depth=2) for name, array in outputs.items()}
    return _wrap("outputs", _write_members(members, depth=1))


def _wrap(key: str, body: str) -> str:
    return _write_members({key: body}, depth=0)


def _write_members(members: Mapping[str, str], depth: int) -> str:
    """Writes an object whose values are written already; `depth` is that of the object."""
    keys = [_write_key(name, depth + 1) for name in members]
    return _join_members(keys, members.values(), depth)


def _write_key(name: str, depth: int) -> str:
    return f"{_indent(depth)}{_encode_string(name)}: "


def _join_members(keys: Iterable[str], values: Iterable[str], depth: int) -> str:
    return "{\n" + ",\n".join(map(str.__add__, keys, values)) + "\n" + _indent(depth) + "}"


def _write_each_row(name: str, array: np.ndarray, depth: int) -> list[str]:
    """Writes each element of the first dimension as lists on one line."""
    leaves = _write_leaves(name, array, depth + array.ndim - 1)
    if array.ndim == 1:
        return leaves
    return nest(leaves, array.shape, [_LINE] * array.ndim, keep_axes=1)


def _write_indented(name: str, array: np.ndarray, depth: int) -> str:
    """Writes a tensor as lists that give each element a line."""
    leaves = _write_leaves(name, array, depth + array.ndim)
    brackets = []
    for level in range(depth, depth + array.ndim):
        inner, outer = "\n" + _indent(level + 1), "\n" + _indent(level)
        brackets.append(("[" + inner, "," + inner, outer + "]"))
    return nest(leaves, array.shape, brackets)[0]


def _write_leaves(name: str, array: np.ndarray, depth: int) -> list[str]:
    flat = array.ravel()
    if array.dtype == object:
        return _write_strings(name, flat.tolist(), depth)
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


def _write_strings(name: str, values: list[bytes], depth: int) -> list[str]:
    # TensorFlow knows only one string type; the name's ending says that it is binary.
    if not name.endswith("_bytes"):
        return [_encode_string(value.decode("utf-8", "surrogateescape")) for value in values]
    encoded = [base64.b64encode(value).decode("ascii") for value in values]
    return [_write_members({"b64": f'"{text}"'}, depth) for text in encoded]


def _name_type(array: np.ndarray) -> str:
    try:
        return find_type(array).name
    except TensorError:
        return str(array.dtype)


def _indent(depth: int) -> str:
    return "    " * depth
