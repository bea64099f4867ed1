"""One JSON value to one tensor.

Leaves of one kind are converted as a whole. Others are gone through one by one, to find the first
that is wrong and say so in TensorFlow Serving's words.
"""

import base64
import binascii
import contextlib
from itertools import chain
from typing import Any, Final

import numpy as np

from darkroom.serving.model_server.errors import InvalidArgument, Unimplemented
from darkroom.serving.model_server.rest.json_text import NUMBER_TOO_BIG, name_json_type, quote
from darkroom.serving.protos.tensors import MAX_DIMENSIONS, STRING, TensorType

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
_FLOATS: Final = frozenset({"float", "double"})
_TYPES: Final = frozenset({*_FLOATS, *_INT_RANGES, "string", "bool"})


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
    array = _convert_all(leaves, type_)
    if array is None:
        array = _to_array([_convert(leaf, type_) for leaf in leaves], type_)
    return array.reshape(shape)


def measure(value: Any) -> tuple[int, ...]:
    """Returns the shape of a value, going by the first element of each list."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    if len(shape) > MAX_DIMENSIONS:
        raise InvalidArgument(
            f"JSON lists are nested {len(shape)} levels deep; a tensor has at most "
            f"{MAX_DIMENSIONS} dimensions"
        )
    return tuple(shape)


def _flatten(value: Any, shape: tuple[int, ...]) -> list[Any]:
    """Returns the leaves; refuses a value that is not of this shape throughout."""
    items = [value]
    for level, size in enumerate(shape):
        if any(type(item) is not list or len(item) != size for item in items):
            raise _find_unequal(items, level, shape)
        items = list(chain.from_iterable(items))
    if list in set(map(type, items)):
        raise InvalidArgument(
            f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}"
        )
    return items


def _find_unequal(items: list[Any], level: int, shape: tuple[int, ...]) -> InvalidArgument:
    wrong = next(item for item in items if type(item) is not list or len(item) != shape[level])
    if isinstance(wrong, list):
        return InvalidArgument(
            f"Encountered list at unexpected size: {len(wrong)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    return InvalidArgument(
        f"JSON Value: {quote(wrong)} found at incorrect level: {level + 1} "
        f"in the JSON DOM. Expected at level: {len(shape)}"
    )


def _convert_all(leaves: list[Any], type_: TensorType) -> np.ndarray | None:
    """Returns the leaves as a 1-D array, or None if one of them needs a closer look."""
    types = set(map(type, leaves))
    if type_.name in _FLOATS and types <= {int, float}:
        # What a float cannot hold becomes the nearest one, or infinity.
        with contextlib.suppress(OverflowError), np.errstate(over="ignore"):
            return np.array(leaves, type_.dtype)
    if type_ == STRING and types == {str}:
        return _to_array(list(map(encode_text, leaves)), type_)
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


def _convert(leaf: Any, type_: TensorType) -> Any:
    """Returns one leaf as the tensor's element."""
    if isinstance(leaf, dict):
        return _convert_object(leaf, type_)
    if type_ == STRING and isinstance(leaf, str):
        return encode_text(leaf)
    if type_.name in _FLOATS and type(leaf) in (int, float):
        return to_float(leaf)
    if type_.name in _INT_RANGES and type(leaf) is int:
        low, high = _INT_RANGES[type_.name]
        if low <= leaf <= high:
            return leaf
    if type_.name == "bool" and isinstance(leaf, bool):
        return leaf
    if type_.name not in _TYPES:
        raise Unimplemented(f"Conversion of JSON Value: {quote(leaf)} to type: {type_.name}")
    raise _type_error(leaf, type_)


def _convert_object(leaf: dict[str, Any], type_: TensorType) -> bytes:
    if type_ != STRING:
        raise _type_error(leaf, type_)
    if not is_base64(leaf):
        raise InvalidArgument(f"JSON Value: {quote(leaf)} not formatted correctly for base64 data")
    return decode_base64(leaf)


def to_float(leaf: int | float) -> float:
    """Returns a number of the request as a float; InvalidArgument for hundreds of digits."""
    try:
        return float(leaf)
    except OverflowError:
        raise InvalidArgument(NUMBER_TOO_BIG) from None


def decode_base64(value: dict[str, str]) -> bytes:
    """Returns the bytes in a value of the form `{"b64": "…"}`; InvalidArgument if not base64."""
    text = value["b64"]
    with contextlib.suppress(ValueError):
        # Ten times as fast as with a check beforehand: whatever is skipped is missing at the end.
        content = binascii.a2b_base64(text)
        padding = len(text) - len(text.rstrip("="))
        if len(text) % 4 == 0 and len(content) == len(text) // 4 * 3 - padding:
            return content
    return _decode_loose_base64(text)


def _decode_loose_base64(text: str) -> bytes:
    """Decodes what Abseil also takes: with white space, and without the padding."""
    compact = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except ValueError:
        raise InvalidArgument("Unable to base64 decode") from None


def encode_text(text: str) -> bytes:
    """Returns a string as the bytes it came as; InvalidArgument for half of a surrogate pair."""
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
