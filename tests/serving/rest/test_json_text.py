"""JSON in TensorFlow Serving's dialect."""

import contextlib
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.rest.json_response import write_outputs
from darkroom.serving.model_server.rest.json_text import (
    MAX_QUOTED,
    format_floats,
    parse_object,
    quote,
)
from darkroom.serving.model_server.rest.refusals import respond_error


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty. at offset: 2"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Number too big to be stored in double."),
        (b'{"a": ' + b"[" * 100_000, "The document is nested too deeply: more than 200 levels"),
    ],
)
def test_parse_error_has_its_own_words(body, message):
    with pytest.raises(InvalidArgument) as caught:
        parse_object(body)
    assert caught.value.message == f"JSON Parse error: {message}"


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b"x", 0),
        (b"{1: 2}", 1),
        (b'{"a" 1}', 5),
        (b'{"a": 1 "b": 2}', 8),
        (b'{"]": [1 2]}', 9),
        (b'{"a', 1),
        (b'{"\\x": 1}', 2),
        ('{"é": x}'.encode(), 7),
    ],
)
def test_parse_error_says_where(body, offset):
    with pytest.raises(InvalidArgument) as caught:
        parse_object(body)
    assert re.fullmatch(rf"JSON Parse error: .* at offset: {offset}", caught.value.message)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(body):
    with contextlib.suppress(InvalidArgument):
        assert isinstance(parse_object(body), dict)


def test_what_follows_the_object_is_not_looked_at():
    assert parse_object(b' {"a": 1} ]') == {"a": 1}


@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b'["]]]]",', b'{"}}}}":'], ids=["list", "object", "text", "key"]
)
def test_depth_is_counted_as_the_brackets_outside_strings(opening):
    def nest(depth):
        closing = b"]" if opening.startswith(b"[") else b"}"
        return b'{"x":' + opening * (depth - 1) + b"0" + closing * (depth - 1) + b"}"

    assert parse_object(nest(20), max_depth=20)
    with pytest.raises(InvalidArgument, match="nested too deeply: more than 20 levels"):
        parse_object(nest(21), max_depth=20)


def test_brackets_in_strings_and_side_by_side_are_not_deep():
    document = {"text": "[{" * 500 + '\\"', "lists": [[i] for i in range(500)]}
    assert parse_object(json.dumps(document).encode(), max_depth=3) == document


def test_depth_that_python_cannot_parse_is_refused_whatever_the_limit():
    with pytest.raises(InvalidArgument, match="nested too deeply"):
        parse_object(b'{"a": ' + b"[" * 100_000, max_depth=1_000_000)


def test_byte_order_mark_is_skipped():
    assert parse_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_bytes_that_are_not_utf8_go_through():
    document = parse_object(b'{"a": "\xff\xfe"}')
    assert document["a"].encode("utf-8", "surrogateescape") == b"\xff\xfe"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1.0"),
        (1 / 3, "0.333333343"),
        (9e6, "9e+06"),
        (3e-5, "3e-05"),
        (16777216.0, "16777216.0"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_floats_have_as_few_digits_as_tensorflow_serving_writes(value, text):
    assert format_floats(np.array([value], np.float32)) == [text]


@pytest.mark.parametrize("width", [32, 64])
def test_written_floats_read_back_as_the_same(width):
    @given(st.lists(st.floats(width=width), min_size=1))
    def check(values):
        array = np.array(values, f"float{width}")
        again = np.array(list(map(json.loads, format_floats(array))), array.dtype)
        np.testing.assert_array_equal(again, array)

    check()


@given(st.lists(st.text(), max_size=3), st.lists(st.integers(-9, 9), max_size=3))
def test_written_outputs_are_json(texts, numbers):
    size = min(len(texts), len(numbers))
    strings = np.array([text.encode("utf-8", "ignore") for text in texts[:size]], object)
    outputs = {"s": strings, "n": np.array(numbers[:size], np.int64)}
    columns = json.loads(write_outputs(outputs, "column"))["outputs"]
    rows = json.loads(write_outputs(outputs, "row"))["predictions"]
    assert columns == {"s": [s.decode() for s in strings], "n": numbers[:size]}
    assert rows == [{"s": s, "n": n} for s, n in zip(columns["s"], columns["n"], strict=True)]


def test_nothing_to_write():
    with pytest.raises(InvalidArgument, match="Cannot convert empty tensor map to JSON"):
        write_outputs({}, "row")


def test_error_is_json_whatever_the_message():
    message = 'a "quoted"\nline é'
    response = respond_error(InvalidArgument(message))
    assert json.loads(response.body) == {"error": message}


@pytest.mark.parametrize(
    "value", [{"a": [1, {"b": []}], "c": {}}, [True, None, "é\n", -0.0], 1e21, 2**64, {}]
)
def test_values_are_quoted_as_json(value):
    assert json.loads(quote(value)) == value


@pytest.mark.parametrize(
    "value", [list(range(10_000_000)), "x" * 10_000_000, ["x" * 5000, "y"], {"x" * 5000: 1}]
)
def test_long_values_are_quoted_in_part(value):
    assert quote(value) == json.dumps(value, indent=4)[:MAX_QUOTED] + "..."
