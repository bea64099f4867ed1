"""The examples of a request, as the strings that a model takes."""

import asyncio

import numpy as np
import pytest

from darkroom.serving import protos
from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.inference.examples import read_examples
from darkroom.tests.serving.inference.models import create_request, read_example


def read(request):
    return asyncio.run(read_examples(request.input))


def test_each_example_is_serialized():
    array = read(create_request("RegressionRequest", [{"x": 1.0}, {"x": 2.0, "y": 3.0}]))
    assert (array.shape, array.dtype) == ((2,), np.dtype(object))
    assert [read_example(content) for content in array] == [{"x": [1]}, {"x": [2], "y": [3]}]


def test_context_is_part_of_each_example_unless_it_says_otherwise():
    request = create_request("RegressionRequest", [{"x": 1.0}, {"c": 2.0}], context={"c": 9.0})
    assert [read_example(content) for content in read(request)] == [
        {"x": [1], "c": [9]},
        {"c": [2]},
    ]


@pytest.mark.parametrize("context", [None, {"c": 1.0}])
def test_no_example_is_refused(context):
    with pytest.raises(InvalidArgument, match=r"^Input is empty\.$"):
        read(create_request("RegressionRequest", [], context))


def test_no_input_is_refused():
    with pytest.raises(InvalidArgument, match=r"^Input is empty\.$"):
        read(protos.message_class("tensorflow.serving.ClassificationRequest")())


def test_example_without_features_is_an_example():
    assert read(create_request("RegressionRequest", [{}, {}])).tolist() == [b"", b""]


def test_context_that_unfolds_to_too_much_is_refused():
    request = create_request("RegressionRequest", [{}] * 40, context={"c" * 2**20: 1.0})
    with pytest.raises(InvalidArgument, match=r"unfolds to \d+ bytes .* at most 33554432"):
        read(request)
