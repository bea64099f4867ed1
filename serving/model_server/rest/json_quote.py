"""JSON values as TensorFlow Serving's error messages repeat them."""

import json
import math
from decimal import Decimal
from typing import Any, Final

MAX_QUOTED: Final = 256
"""Bytes after which no further token is written."""
MAX_TOKEN: Final = 1000
"""Characters of one token; TensorFlow Serving repeats an image of megabytes."""

_MAX_PLAIN_DIGITS: Final = 21
_MAX_LEADING_ZEROS: Final = 6


def quote(value: Any) -> str:
    """Returns a JSON value as error messages show it: as JSON, cut off where it is long."""
    writer = _Writer()
    writer.write(value, "", 0)
    return "".join(writer.tokens)


def name_json_type(value: Any) -> str:
    """Returns RapidJSON's name of a JSON value's type."""
    if isinstance(value, bool):
        return "True" if value else "False"
    names = {dict: "Object", list: "Array", str: "String", type(None): "Null"}
    return names.get(type(value), "Number")


class _Writer:
    """Writes token by token until there are enough of them.

    Members of objects stand on lines of their own, elements of lists on one line. What comes before
    a token belongs to it.
    """

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self._size = 0

    def write(self, value: Any, before: str, depth: int) -> bool:
        """Writes a value; returns whether anything may follow."""
        if isinstance(value, dict):
            return self._write_object(value, before, depth)
        if isinstance(value, list):
            return self._write_list(value, before, depth)
        if isinstance(value, float) and not math.isfinite(value):
            # RapidJSON's writer has no words for these, and stops.
            self._put(before)
            return False
        return self._put(before + _write_leaf(value))

    def _write_object(self, members: dict[str, Any], before: str, depth: int) -> bool:
        if not self._put(before + "{"):
            return False
        separator = ""
        for name, value in members.items():
            key = json.dumps(name[:MAX_TOKEN], ensure_ascii=False)
            if not self._put(f"{separator}\n{_indent(depth + 1)}{key}"):
                return False
            if not self.write(value, ": ", depth + 1):
                return False
            separator = ","
        return self._put(f"\n{_indent(depth)}}}" if members else "}")

    def _write_list(self, items: list[Any], before: str, depth: int) -> bool:
        if not self._put(before + "["):
            return False
        separator = ""
        for item in items:
            if not self.write(item, separator, depth + 1):
                return False
            separator = ", "
        return self._put("]")

    def _put(self, token: str) -> bool:
        if self._size >= MAX_QUOTED:
            return False
        self.tokens.append(token)
        self._size += len(token.encode("utf-8", "surrogatepass"))
        return True


def _write_leaf(value: Any) -> str:
    if isinstance(value, str):
        text = json.dumps(value[:MAX_TOKEN], ensure_ascii=False)
        return text if len(value) <= MAX_TOKEN else text[:-1] + '..."'
    if isinstance(value, float):
        return _write_double(value)
    # RapidJSON has no integers beyond 64 bits: it reads them as floats, or not at all.
    if type(value) is int and not -(2**63) <= value < 2**64:
        return _write_large_integer(value)
    return json.dumps(value)


def _write_large_integer(value: int) -> str:
    try:
        return _write_double(float(value))
    except OverflowError:
        return str(value)[:MAX_TOKEN]


def _write_double(value: float) -> str:
    """Writes as few digits as read back the same, as RapidJSON does."""
    if value == 0:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, exponent = "".join(map(str, digits)), int(exponent)
    minus, point = "-" * sign, len(text) + exponent
    if exponent >= 0 and point <= _MAX_PLAIN_DIGITS:
        return minus + text + "0" * exponent + ".0"
    if 0 < point <= _MAX_PLAIN_DIGITS:
        return f"{minus}{text[:point]}.{text[point:]}"
    if -_MAX_LEADING_ZEROS < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{point - 1}"


def _indent(depth: int) -> str:
    return "    " * depth
