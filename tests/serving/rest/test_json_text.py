"""JSON in TensorFlow Serving's dialect."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.model_server.errors import InvalidArgument
from serving.model_server.rest.json_response import write_error, write_outputs
from serving.model_server.rest.json_text import MAX_QUOTED, format_floats, parse_object, quote


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty"),
        (b"x", "Invalid value. at offset: 0"),
        (b"{} {}", "The document root must not be followed by other values. at offset: 3"),
        (b"{1: 2}", "Missing a name for object member. at offset: 1"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": 1 "b": 2}', "Missing a comma or } after an object member. at offset: 8"),
        (b'{"]": [1 2]}', "Missing a comma or ] after an array element. at offset: 9"),
        (b'{"a', "Missing a closing quotation mark in string. at offset: 1"),
        (b'{"\\x": 1}', "Invalid escape character in string. at offset: 2"),
        ('{"é": x}'.encode(), "Invalid value. at offset: 7"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Number too big to be stored in double."),
        (b'{"a": ' + b"[" * 100_000, "The document is nested too deeply"),
    ],
)
def test_parse_error_has_rapidjsons_words(body, message):
    with pytest.raises(InvalidArgument) as caught:
        parse_object(body)
    assert caught.value.message == f"JSON Parse error: {message}"


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(body):
    with contextlib.suppress(InvalidArgument):
        assert isinstance(parse_object(body), dict)


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


@pytest.mark.parametrize("width", [16, 32, 64])
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
    assert json.loads(write_error(message)) == {"error": message}


def test_quoted_values_are_cut():
    assert len(quote(["x" * 5000])) == MAX_QUOTED + len("...")
