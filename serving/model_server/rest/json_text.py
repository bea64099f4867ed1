"""JSON as TensorFlow Serving reads and writes it.

NaN and Infinity are numbers, and the parser's complaints have the words of RapidJSON. Bytes that
are not UTF-8 travel through Python strings as surrogates ("surrogateescape"), so that string
tensors keep them.
"""

import itertools
import json
import math
import re
from typing import Any, Final

import numpy as np

from serving.model_server.errors import InvalidArgument

MAX_QUOTED: Final = 1000
"""Characters of a request's value that an error message repeats."""

_RAPIDJSON_TEXTS: Final = {
    "Expecting value": "Invalid value.",
    "Extra data": "The document root must not be followed by other values.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
    "Illegal trailing comma before end of array": "Invalid value.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid control character at": "Invalid encoding in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Invalid \\escape": "Invalid escape character in string.",
}
_STRING_LITERAL: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def parse_object(body: bytes) -> dict[str, Any]:
    """Returns the JSON object of a request's body.

    Raises:
        InvalidArgument: Not JSON, or not an object.
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    if not text.strip():
        raise InvalidArgument("JSON Parse error: The document is empty")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
        raise InvalidArgument(
            f"JSON Parse error: {_to_rapidjson_text(error)} at offset: {offset}"
        ) from None
    except RecursionError:
        raise InvalidArgument("JSON Parse error: The document is nested too deeply") from None
    except ValueError:
        # Python refuses integers of more than a few thousand digits.
        raise InvalidArgument("JSON Parse error: Number too big to be stored in double.") from None
    if not isinstance(value, dict):
        raise InvalidArgument(f"JSON Value: {quote(value)} Is not object")
    return value


def _to_rapidjson_text(error: json.JSONDecodeError) -> str:
    if error.msg == "Expecting ',' delimiter":
        return _missing_comma_text(error.doc[: error.pos])
    return next(
        (text for start, text in _RAPIDJSON_TEXTS.items() if error.msg.startswith(start)),
        error.msg + ".",
    )


def _missing_comma_text(before: str) -> str:
    open_brackets: list[str] = []
    for character in _STRING_LITERAL.sub("", before):
        if character in "[{":
            open_brackets.append(character)
        elif character in "]}" and open_brackets:
            open_brackets.pop()
    if open_brackets and open_brackets[-1] == "{":
        return "Missing a comma or } after an object member."
    return "Missing a comma or ] after an array element."


def quote(value: Any) -> str:
    """Returns a JSON value as error messages show it, cut to `MAX_QUOTED` characters."""
    if isinstance(value, float):
        return format_floats(np.array([value]))[0]
    try:
        text = json.dumps(value, indent=4, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply)"
    return text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "..."


def name_json_type(value: Any) -> str:
    """Returns RapidJSON's name of a JSON value's type."""
    if isinstance(value, bool):
        return "True" if value else "False"
    names = {dict: "Object", list: "Array", str: "String", type(None): "Null"}
    return names.get(type(value), "Number")


def format_floats(values: np.ndarray) -> list[str]:
    """Writes floats as TensorFlow Serving does.

    Six significant digits where they are enough to read the same float again, else as many as
    are always enough; whole numbers keep a `.0`, so that a list does not mix types.

    Args:
        values: float16, float32 or float64, 1-D.
    """
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    digits = 9 if values.dtype == np.float32 else 17
    floats = values.tolist()
    texts = [f"{value:.6g}" for value in floats]
    with np.errstate(over="ignore"):
        read_again = np.array([float(text) for text in texts]).astype(values.dtype)
    for index in np.flatnonzero(read_again != values).tolist():
        texts[index] = f"{floats[index]:.{digits}g}"
    return [_mark_as_float(text) for text in texts]


_SPECIAL_FLOATS: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _mark_as_float(text: str) -> str:
    if "." in text or "e" in text:
        return text
    return _SPECIAL_FLOATS.get(text) or text + ".0"


def nest(
    items: list[str],
    shape: tuple[int, ...],
    brackets: list[tuple[str, str, str]],
    keep_axes: int = 0,
) -> list[str]:
    """Joins the written leaves of a tensor into nested lists.

    Args:
        items: Leaves in row-major order.
        shape: Shape of the tensor.
        brackets: For each dimension, the outermost first: opening, separating and closing text.
        keep_axes: How many of the outermost dimensions are not joined.

    Returns:
        One text for each element of the kept dimensions.
    """
    for axis in reversed(range(keep_axes, len(shape))):
        opening, separator, closing = brackets[axis]
        size, count = shape[axis], math.prod(shape[:axis])
        if size == 0:
            items = ["[]"] * count
            continue
        leaves = iter(items)
        items = [
            opening + separator.join(itertools.islice(leaves, size)) + closing for _ in range(count)
        ]
    return items
