"""Predict without TensorFlow: defaults of inputs, the order of outputs, method names."""

import asyncio

import numpy as np
import pytest

from darkroom.serving.model_server.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    StatusError,
)
from darkroom.serving.model_server.inference.predict import predict
from darkroom.serving.protos.tensors import fill_tensor
from darkroom.tests.serving.inference.models import FLOAT, Fake, floats, signature

OUTPUTS = {name: floats(1) for name in ("c", "a", "b")}


def create(method="", **defaults):
    form = signature(("x", "y"), ("a", "b", "c"), FLOAT, method)
    for name, value in defaults.items():
        fill_tensor(form.defaults[name], value)
    return Fake({"serving_default": form}, {"serving_default": OUTPUTS})


def ask(servable, output_filter=(), check=False, **inputs):
    return asyncio.run(predict(servable, "", inputs, output_filter, check))


@pytest.mark.parametrize(
    ("output_filter", "names"), [((), ["a", "b", "c"]), (["c", "a"], ["c", "a"])]
)
def test_outputs_have_the_order_of_the_filter_or_of_the_alphabet(output_filter, names):
    assert list(ask(create(), output_filter, x=floats(1), y=floats(2))) == names


def test_input_that_is_left_out_has_its_default():
    servable = create(y=floats(7))
    ask(servable, x=floats(1))
    ((_, inputs),) = servable.asked
    assert {name: array.tolist() for name, array in inputs.items()} == {"x": [1], "y": [7]}


def test_input_that_is_sent_wins_over_its_default():
    servable = create(y=floats(7))
    ask(servable, x=floats(1), y=floats(2))
    assert servable.asked[0][1]["y"].tolist() == [2]


REFUSALS = {
    "no default": (
        {"y": floats(7)},
        {"y": floats(1)},
        "Signature input alias: x(feed name: x:0) not found in request and no default value "
        "provided. Inputs expected to be in the request {y}, or default input alias set: y",
    ),
    "another name beside a default": (
        {"y": floats(7)},
        {"x": floats(1), "q": floats(1)},
        "Inputs contains invalid name. Used request inputs: x, request input: q,x",
    ),
    "default of another type": (
        {"y": np.array([1])},
        {"x": floats(1)},
        "Expects arg[1] to be float but int64 is provided",
    ),
    "type that no tensor has": (
        {},
        {"x": floats(1), "y": np.array(["2020"], "datetime64[s]")},
        "tensor parsing error: y (no tensor type for arrays of datetime64[s])",
    ),
}


@pytest.mark.parametrize(("defaults", "inputs", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_has_tensorflow_servings_words(defaults, inputs, message):
    with pytest.raises(InvalidArgument) as caught:
        ask(create(**defaults), **inputs)
    assert caught.value.message == message


def test_default_that_cannot_be_read_is_refused():
    servable = create(y=floats(7))
    servable.signature_defs["serving_default"].defaults["y"].dtype = 0
    with pytest.raises(InvalidArgument, match="tensor parsing error: y"):
        ask(servable, x=floats(1))


def test_unknown_signature_is_refused():
    with pytest.raises(FailedPrecondition, match='Serving signature key "nope" not found'):
        asyncio.run(predict(create(), "nope", {}))


@pytest.mark.parametrize("method", ["predict", "classify", "regress"])
def test_signature_of_any_method_of_the_api_may_predict(method):
    assert ask(create(f"tensorflow/serving/{method}"), check=True, x=floats(1), y=floats(2))


def test_method_that_is_none_of_the_apis_is_refused_where_it_is_checked():
    assert ask(create("mine"), x=floats(1), y=floats(2))
    with pytest.raises(StatusError) as caught:
        ask(create("mine"), check=True, x=floats(1), y=floats(2))
    assert caught.value.code is Code.INTERNAL
    assert caught.value.message == (
        "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
        "tensorflow/serving/classify, tensorflow/serving/regress}. Was: mine"
    )
