"""One JSON value to one tensor.

A list of lists that is rectangular and of one kind is converted as a whole. Anything else is gone
through value by value, to find the first that is wrong and say so in TensorFlow Serving's words.
"""

import base64
import binascii
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

import numpy as np

from serving.model_server.errors import InvalidArgument, Unimplemented
from serving.model_server.rest.json_text import name_json_type, quote
from serving.protos.tensors import TensorType

_INT_RANGES: Final = {
    # Smaller types are read as int32 and wrap around, as in TensorFlow Serving.
    "int8": (-(2**31), 2**31 - 1),
    "uint8": (-(2**31), 2**31 - 1),
    "int16": (-(2**31), 2**31 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
_MAX_EXACT_INT: Final = {"float": 2**24 - 1, "double": 2**53 - 1}


def is_base64(value: Any) -> bool:
    """Says whether a value has the form `{"b64": "…"}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def to_tensor(value: Any, type_: TensorType) -> np.ndarray:
    """Returns a JSON value as a tensor; strings as an object array of bytes.

    Raises:
        InvalidArgument: Lists of unequal length or depth, or a leaf that does not fit the type.
        Unimplemented: No JSON value stands for this type.
    """
    shape = measure(value)
    leaves = _flatten(value, shape)
    array = None if leaves is None else _convert_all(leaves, type_)
    if array is None:
        array = _to_array([_convert(leaf, type_) for leaf in _walk(value, 0, shape)], type_)
    return array.reshape(shape)


def measure(value: Any) -> tuple[int, ...]:
    """Returns the shape of a value, going by the first element of each list."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _flatten(value: Any, shape: tuple[int, ...]) -> list[Any] | None:
    """Returns the leaves, or None if the value is not of this shape throughout."""
    items = [value]
    for size in shape:
        if any(type(item) is not list or len(item) != size for item in items):
            return None
        items = list(chain.from_iterable(items))
    return None if list in set(map(type, items)) else items


def _walk(value: Any, level: int, shape: tuple[int, ...]) -> Iterator[Any]:
    """Yields the leaves in order; converts none, but finds what is at the wrong place."""
    if not isinstance(value, list):
        if level != len(shape):
            raise InvalidArgument(
                f"JSON Value: {quote(value)} found at incorrect level: {level + 1} "
                f"in the JSON DOM. Expected at level: {len(shape)}"
            )
        yield value
        return
    if level >= len(shape):
        raise InvalidArgument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise InvalidArgument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for item in value:
        yield from _walk(item, level + 1, shape)


def _convert_all(leaves: list[Any], type_: TensorType) -> np.ndarray | None:
    """Returns the leaves as a 1-D array, or None if one of them needs a closer look."""
    types = set(map(type, leaves))
    if type_.name in _MAX_EXACT_INT and types <= {int, float}:
        return _convert_floats(leaves, type_)
    if type_.name in _INT_RANGES and types == {int}:
        low, high = _INT_RANGES[type_.name]
        return _to_array(leaves, type_) if low <= min(leaves) and max(leaves) <= high else None
    if type_.name == "bool" and types <= {bool}:
        return np.array(leaves, np.bool_)
    return None


def _to_array(values: list[Any], type_: TensorType) -> np.ndarray:
    if type_.name in _INT_RANGES:
        wide = np.uint64 if type_.name == "uint64" else np.int64
        return np.array(values, wide).astype(type_.dtype)
    array = np.empty(len(values), type_.dtype)
    array[:] = values
    return array


def _convert_floats(leaves: list[Any], type_: TensorType) -> np.ndarray | None:
    limit = _MAX_EXACT_INT[type_.name]
    if any(type(leaf) is int and abs(leaf) > limit for leaf in leaves):
        return None
    doubles = np.array(leaves, np.float64)
    finite = doubles[np.isfinite(doubles)]
    fits = (np.abs(finite) <= np.finfo(type_.dtype).max).all()
    return doubles.astype(type_.dtype) if fits else None


def _convert(leaf: Any, type_: TensorType) -> Any:
    """Returns one leaf as the tensor's element."""
    if isinstance(leaf, dict):
        return _decode_base64(leaf, type_)
    if type_.name == "string" and isinstance(leaf, str):
        return _encode(leaf)
    if type_.name in _MAX_EXACT_INT and type(leaf) in (int, float):
        return _to_float(leaf, type_)
    if type_.name in _INT_RANGES and type(leaf) is int:
        low, high = _INT_RANGES[type_.name]
        if low <= leaf <= high:
            return leaf
    if type_.name == "bool" and isinstance(leaf, bool):
        return leaf
    if type_.name not in {*_MAX_EXACT_INT, *_INT_RANGES, "string", "bool"}:
        raise Unimplemented(f"Conversion of JSON Value: {quote(leaf)} to type: {type_.name}")
    raise _type_error(leaf, type_)


def _to_float(leaf: int | float, type_: TensorType) -> float:
    is_integer = isinstance(leaf, int) and -(2**63) <= leaf < 2**64
    limit = _MAX_EXACT_INT[type_.name] if is_integer else float(np.finfo(type_.dtype).max)
    if leaf == leaf and abs(leaf) != float("inf") and abs(leaf) > limit:
        raise InvalidArgument(
            f"Cannot convert JSON value: {quote(leaf)} to {type_.name} without loss of precision."
        )
    return float(leaf)


def _decode_base64(leaf: dict[str, Any], type_: TensorType) -> bytes:
    if type_.name != "string":
        raise _type_error(leaf, type_)
    if not is_base64(leaf):
        raise InvalidArgument(f"JSON Value: {quote(leaf)} not formatted correctly for base64 data")
    text = leaf["b64"]
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return _decode_loose_base64(text)


def _decode_loose_base64(text: str) -> bytes:
    """Decodes what Abseil also takes: with white space, and without the padding."""
    compact = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise InvalidArgument("Unable to base64 decode") from None


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidArgument(
            "JSON Parse error: The surrogate pair in string is invalid."
        ) from None


def _type_error(leaf: Any, type_: TensorType) -> InvalidArgument:
    return InvalidArgument(
        f"JSON Value: {quote(leaf)} Type: {name_json_type(leaf)} "
        f"is not of expected type: {type_.name}"
    )
