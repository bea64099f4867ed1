"""Regress: what a signature must look like, and what its output becomes."""

import asyncio

import numpy as np
import pytest

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.inference.regress import regress
from darkroom.tests.serving.inference.models import (
    FLOAT,
    REGRESS,
    create_request,
    floats,
    load,
    signature,
)

FORM = signature(outputs=("outputs",))


def ask(loaded, check=False, examples=({"x": 1.0}, {"x": 2.0}), **options):
    request = create_request("RegressionRequest", examples, **options)
    return asyncio.run(regress(loaded, request, check))


@pytest.mark.parametrize("output", [floats(1.5, -2), floats([1.5], [-2])])
def test_output_becomes_numbers(output):
    response = ask(load({"outputs": output}, serving_default=FORM))
    assert [regression.value for regression in response.result.regressions] == [1.5, -2]
    spec = response.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("m", "serving_default", 7)


SIGNATURES = {
    "no input": (signature(inputs=(), outputs=("outputs",)), "Expected one input Tensor."),
    "two outputs": (signature(outputs=("outputs", "x")), "Expected one output Tensor."),
    "another input": (
        signature(inputs=("x",), outputs=("outputs",)),
        "No regression inputs found in SignatureDef: inputs {",
    ),
    "another output": (
        signature(outputs=("y",)),
        "No regression outputs found in SignatureDef: inputs {",
    ),
    "numbers in": (
        signature(outputs=("outputs",), dtype=FLOAT),
        "Expects arg[0] to be float but string is provided",
    ),
}


@pytest.mark.parametrize(("form", "message"), SIGNATURES.values(), ids=SIGNATURES)
def test_signature_of_another_form_is_refused(form, message):
    with pytest.raises(InvalidArgument) as caught:
        ask(load({}, serving_default=form))
    assert caught.value.message.startswith(message)


def test_unknown_signature_is_refused():
    with pytest.raises(InvalidArgument, match="No signature was found with the name: nope"):
        ask(load(), signature_name="nope")


def test_method_name_is_checked_only_where_that_is_asked_for():
    good = signature(outputs=("outputs",), method=REGRESS)
    assert ask(load({"outputs": floats(1, 2)}, serving_default=good), check=True)
    with pytest.raises(InvalidArgument) as caught:
        ask(load({"outputs": floats(1, 2)}, serving_default=FORM), check=True)
    assert caught.value.message == (
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: "
    )


OUTPUTS = {
    "two numbers each": (
        floats([1, 2], [3, 4]),
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]",
    ),
    "a scalar": (
        np.float32(1).reshape(()),
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got []",
    ),
    "another batch": (
        floats(1, 2, 3),
        "Input batch size did not match output batch size: 2 vs. 3",
    ),
    "integers": (np.array([1, 2]), "Expected output Tensor of DT_FLOAT.  Got: DT_INT64"),
}


@pytest.mark.parametrize(("output", "message"), OUTPUTS.values(), ids=OUTPUTS)
def test_output_of_another_form_is_refused(output, message):
    with pytest.raises(InvalidArgument) as caught:
        ask(load({"outputs": output}, serving_default=FORM))
    assert caught.value.message == message
