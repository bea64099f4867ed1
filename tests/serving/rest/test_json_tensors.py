"""Request bodies to tensors, without a server."""

import base64
import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.serving.model_server.errors import InvalidArgument, Unimplemented
from darkroom.serving.model_server.rest.json_request import read_inputs
from darkroom.serving.model_server.rest.json_tensors import measure, to_tensor
from darkroom.serving.model_server.rest.json_text import parse_object
from darkroom.serving.protos.tensors import TYPES

BY_NAME = {type_.name: type_ for type_ in TYPES.values()}
FLOAT, DOUBLE, INT32, STRING, BOOL = (
    BY_NAME[name] for name in ("float", "double", "int32", "string", "bool")
)


def nest(value, levels):
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        ([[1, 2], [3, 4]], INT32, np.array([[1, 2], [3, 4]], np.int32)),
        ([1, 2.0, 0.007], FLOAT, np.array([1, 2, 0.007], np.float32)),
        ([1, 0.662], DOUBLE, np.array([1, 0.662])),
        (5, FLOAT, np.float32(5)),
        ([[]], FLOAT, np.zeros((1, 0), np.float32)),
        ([], INT32, np.zeros(0, np.int32)),
        ([True, False], BOOL, np.array([True, False])),
        ([300, -1], BY_NAME["uint8"], np.array([44, 255], np.uint8)),
        ([2**64 - 1], BY_NAME["uint64"], np.array([2**64 - 1], np.uint64)),
        ([-(2**63)], BY_NAME["int64"], np.array([-(2**63)])),
        ([16777217, 2**64], FLOAT, np.array([16777216, 2**64], np.float32)),
        ([1e39, -1e39], FLOAT, np.array([np.inf, -np.inf], np.float32)),
    ],
)
def test_numbers(value, type_, expected):
    tensor = to_tensor(value, type_)
    assert tensor.dtype == expected.dtype
    np.testing.assert_array_equal(tensor, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("é", "é".encode()),
        ({"b64": "aGVsbG8="}, b"hello"),
        ({"b64": "aGVsbG8"}, b"hello"),
        ({"b64": "aGVs\nbG8="}, b"hello"),
        ({"b64": ""}, b""),
        ({"b64": "aA=="}, b"h"),
        ({"b64": "aG k="}, b"hi"),
        ("\udcff", b"\xff"),
    ],
)
def test_strings(value, expected):
    assert to_tensor([value], STRING).tolist() == [expected]


@given(st.binary(max_size=64))
def test_base64_brings_any_bytes(content):
    text = base64.b64encode(content).decode()
    assert to_tensor({"b64": text}, STRING)[()] == content


def rectangles(leaves):
    shapes = st.lists(st.integers(1, 3), max_size=3)
    return shapes.flatmap(lambda shape: nested(leaves, shape))


def nested(leaves, shape):
    for size in reversed(shape):
        leaves = st.lists(leaves, min_size=size, max_size=size)
    return leaves


@given(rectangles(st.floats(width=32)))
def test_floats_arrive_exactly(value):
    document = parse_object(json.dumps({"inputs": value}).encode())
    tensor = read_inputs(document, {"x": FLOAT}).tensors["x"]
    np.testing.assert_array_equal(tensor, np.array(value, np.float32))
    assert tensor.shape == measure(value) == np.shape(value)


@given(rectangles(st.one_of(st.integers(), st.floats(), st.booleans(), st.text(), st.none())))
def test_anything_is_converted_or_refused(value):
    for type_ in TYPES.values():
        try:
            tensor = to_tensor(value, type_)
        except (InvalidArgument, Unimplemented):
            continue
        assert (tensor.dtype, tensor.shape) == (type_.dtype, measure(value))


@pytest.mark.parametrize(
    ("value", "type_", "message"),
    [
        (["x"], FLOAT, 'JSON Value: "x" Type: String is not of expected type: float'),
        ([True], INT32, "JSON Value: true Type: True is not of expected type: int32"),
        ([1.0], INT32, "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        ([2**31], INT32, "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
        ([None], STRING, "JSON Value: null Type: Null is not of expected type: string"),
        ([1], BOOL, "JSON Value: 1 Type: Number is not of expected type: bool"),
        (
            [{"b64": "aGk="}],
            FLOAT,
            'JSON Value: {\n    "b64": "aGk="\n} Type: Object is not of expected type: float',
        ),
        (
            [{"b65": "aGk="}],
            STRING,
            'JSON Value: {\n    "b65": "aGk="\n} not formatted correctly for base64 data',
        ),
        ([{"b64": "?"}], STRING, "Unable to base64 decode"),
        ([{"b64": "aGk=aGk="}], STRING, "Unable to base64 decode"),
        ([{"b64": "aG?="}], STRING, "Unable to base64 decode"),
        ([{"b64": "é"}], STRING, "Unable to base64 decode"),
        (
            [{"b64": "aGk=", "q": 1}],
            STRING,
            'JSON Value: {\n    "b64": "aGk=",\n    "q": 1\n} not formatted correctly for '
            "base64 data",
        ),
        (
            [10**400],
            INT32,
            f"JSON Value: 1{'0' * 400} Type: Number is not of expected type: int32",
        ),
        ([10**400], FLOAT, "JSON Parse error: Number too big to be stored in double."),
        (
            10**400,
            DOUBLE,
            "JSON Parse error: Number too big to be stored in double.",
        ),
        (
            nest([], 40),
            INT32,
            "JSON lists are nested 41 levels deep; a tensor has at most 32 dimensions",
        ),
        (
            [[1], [1, 2]],
            INT32,
            "Encountered list at unexpected size: 2 at level: 1 expected size: 1",
        ),
        ([1, [1]], INT32, "Encountered list at unexpected level: 1 expected < 1"),
        (
            [[1], 1],
            INT32,
            "JSON Value: 1 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (["\ud800"], STRING, "JSON Parse error: The surrogate pair in string is invalid."),
    ],
)
def test_refusal_names_value_and_type(value, type_, message):
    with pytest.raises(InvalidArgument) as caught:
        to_tensor(value, type_)
    assert caught.value.message == message


def test_type_without_json_form():
    with pytest.raises(Unimplemented, match="Conversion of JSON Value: 1 to type: complex64"):
        to_tensor([1], BY_NAME["complex64"])


def test_first_of_several_errors_is_reported_and_those_of_the_shape_before_all():
    with pytest.raises(InvalidArgument, match='"x" Type: String'):
        to_tensor([1, "x", 2.5], INT32)
    with pytest.raises(InvalidArgument, match="list at unexpected level: 1"):
        to_tensor([1, "x", [2]], INT32)


# --- rows ------------------------------------------------------------------------------------

TWO = {"a": INT32, "b": STRING}
ROW_ERRORS = [
    (
        {"a": INT32},
        [[1, 2], [3, 4], [5, 6, 7]],
        "Failed to process element: 2 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting tensor size: 2 but got: 3",
    ),
    (
        {"a": INT32},
        [[1, 2], [[3, 4]]],
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting shape [2] but got: [1,2]",
    ),
    ({"a": INT32}, [1, {"a": 1}], "Expecting value/list but got object at item 1 of input list"),
    ({"a": INT32}, [{"a": 1}, [1]], "Expecting object but got list at item 1 of input list"),
    (
        {"a": INT32},
        [{"q": 1}],
        "Failed to process element: 0 key: q of 'instances' list. Error: INVALID_ARGUMENT: "
        "JSON object: does not have named input: q",
    ),
    (
        TWO,
        [{"a": 1}],
        "Failed to process element: 0 of 'instances' list. JSON object: {\n"
        '    "a": 1\n} keys must be equal to: a,b',
    ),
    (
        TWO,
        [{"a": 1, "b": "x"}, {"a": "y", "b": "x"}],
        "Failed to process element: 1 key: a of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "y" Type: String is not of expected type: int32',
    ),
    (
        TWO,
        [1],
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per tensorinfo_map",
    ),
]


@pytest.mark.parametrize(("types", "instances", "message"), ROW_ERRORS)
def test_refusal_names_the_row(types, instances, message):
    with pytest.raises(InvalidArgument) as caught:
        read_inputs({"instances": instances}, types)
    assert caught.value.message == message


def test_rows_of_objects_become_columns():
    rows = [{"a": [1, 2], "b": "x"}, {"b": {"b64": "eQ=="}, "a": [3, 4]}]
    tensors = read_inputs({"instances": rows}, TWO).tensors
    np.testing.assert_array_equal(tensors["a"], np.array([[1, 2], [3, 4]], np.int32))
    assert tensors["b"].tolist() == [b"x", b"y"]


def test_rows_of_another_shape_behind_many_good_ones():
    rows = [{"a": [1, 2], "b": "x"}] * 20 + [{"a": [[1, 2]], "b": "x"}]
    with pytest.raises(InvalidArgument, match=r"element: 20 key: a .* Expecting shape \[2\]"):
        read_inputs({"instances": rows}, TWO)


def test_columns_that_are_not_an_object():
    with pytest.raises(InvalidArgument, match="inputs is a plain value/list, but expecting"):
        read_inputs({"inputs": [1]}, TWO)


def test_raw_pixels_are_converted_as_a_whole():
    pixels = [[[[0.5, 1, 2.0]] * 224] * 224]
    started = time.perf_counter()
    assert to_tensor(pixels, FLOAT).shape == (1, 224, 224, 3)
    # 0.03 s; value by value it is 0.3 s, and in row format each instance would add to that.
    assert time.perf_counter() - started < 1
