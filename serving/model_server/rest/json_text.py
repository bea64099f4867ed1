"""JSON as TensorFlow Serving reads and writes it.

NaN and Infinity are numbers. Bytes that are not UTF-8 travel through Python strings as surrogates
("surrogateescape"), so that string tensors keep them.
"""

import json
import re
from typing import Any, Final

import numpy as np

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.rest.messages import Body

DEFAULT_MAX_DEPTH: Final = 200
MAX_QUOTED: Final = 500
"""Characters of a value in an error message; TensorFlow Serving repeats an image of megabytes."""
NUMBER_TOO_BIG: Final = "JSON Parse error: Number too big to be stored in double."
_TOO_DEEP: Final = "JSON Parse error: The document is nested too deeply"

_QUOTED: Final = re.compile(rb'"[^"]*"')
_NEITHER_BRACKETS_NOR_QUOTES: Final = bytes(set(range(256)) - set(b'[]{}"'))
_WHITE_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder()
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, indent=4)


def parse_object(body: Body, max_depth: int = DEFAULT_MAX_DEPTH) -> dict[str, Any]:
    """Returns the JSON object of a request's body; what follows the object is not looked at.

    Raises:
        InvalidArgument: Not JSON, not an object, or nested too deeply.
    """
    if not body:
        raise InvalidArgument("JSON Parse error: The document is empty")
    _check_depth(body, max_depth)
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    start = _WHITE_SPACE.match(text).end()  # type: ignore[union-attr]
    if start == len(text):
        raise InvalidArgument(f"JSON Parse error: The document is empty. at offset: {len(body)}")
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
        raise InvalidArgument(f"JSON Parse error: {error.msg} at offset: {offset}") from None
    except RecursionError:
        raise InvalidArgument(_TOO_DEEP) from None
    except ValueError:
        # Python refuses integers of more than a few thousand digits.
        raise InvalidArgument(NUMBER_TOO_BIG) from None
    if not isinstance(value, dict):
        raise InvalidArgument(f"JSON Value: {quote(value)} Is not object")
    return value


def _check_depth(body: Body, max_depth: int) -> None:
    """Refuses what the parser would go too deeply into, mostly by counting brackets alone."""
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    # Escapes first, then all but brackets and quotes: the slow search has little left to look at.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = _QUOTED.sub(b"", plain.translate(None, _NEITHER_BRACKETS_NOR_QUOTES))
    characters = np.frombuffer(brackets, np.uint8)
    # "[" and "{", "]" and "}" differ in one bit each.
    folded = characters | 0x20
    steps = (folded == ord("{")).astype(np.int8) - (folded == ord("}"))
    if np.cumsum(steps, dtype=np.int64).max(initial=0) > max_depth:
        raise InvalidArgument(f"{_TOO_DEEP}: more than {max_depth} levels")


def quote(value: Any) -> str:
    """Returns a JSON value as error messages repeat it: as JSON, cut off where it is long."""
    text = ""
    for token in _ENCODER.iterencode(value):
        text += token[: MAX_QUOTED + 1]
        if len(text) > MAX_QUOTED:
            return text[:MAX_QUOTED] + "..."
    return text


def name_json_type(value: Any) -> str:
    """Returns TensorFlow Serving's name of a JSON value's type."""
    if isinstance(value, bool):
        return "True" if value else "False"
    names = {dict: "Object", list: "Array", str: "String", type(None): "Null"}
    return names.get(type(value), "Number")


def format_floats(values: np.ndarray) -> list[str]:
    """Writes a 1-D array of float32 or float64 as TensorFlow Serving does.

    Six significant digits where they are enough to read the same float again, else as many as
    are always enough; whole numbers keep a `.0`, so that a list does not mix types.
    """
    floats = values.tolist()
    texts = _format_all(floats, 6)
    inexact = np.flatnonzero(np.array(list(map(float, texts)), values.dtype) != values)
    if len(inexact):
        exact = _format_all(floats, 9 if values.dtype == np.float32 else 17)
        for index in inexact.tolist():
            texts[index] = exact[index]
    return [text if "." in text else _mark_as_float(text) for text in texts]


def _format_all(floats: list[float], digits: int) -> list[str]:
    # In one go: a format for each of them takes three times as long.
    return (f"%.{digits}g " * len(floats) % tuple(floats)).split()


_SPECIAL_FLOATS: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _mark_as_float(text: str) -> str:
    if "e" in text:
        return text
    return _SPECIAL_FLOATS.get(text) or text + ".0"
