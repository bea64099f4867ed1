"""Classify: what a signature must look like, and what its outputs become."""

import asyncio

import numpy as np
import pytest

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.inference.classify import classify
from darkroom.tests.serving.inference.models import (
    CLASSIFY,
    FLOAT,
    create_request,
    floats,
    load,
    signature,
    strings,
)

TWO = [{"x": 1.0}, {"x": 2.0}]
LABELS = strings([b"cat", b"dog"], [b"dog", b"cat"])
SCORES = floats([0.75, 0.25], [0.5, 0.5])


def ask(loaded, check=False, **options):
    request = create_request("ClassificationRequest", TWO, **options)
    return asyncio.run(classify(loaded, request, check))


def read(response):
    return [[(c.label, c.score) for c in one.classes] for one in response.result.classifications]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (
            {"classes": LABELS, "scores": SCORES},
            [[("cat", 0.75), ("dog", 0.25)], [("dog", 0.5), ("cat", 0.5)]],
        ),
        ({"classes": LABELS}, [[("cat", 0), ("dog", 0)], [("dog", 0), ("cat", 0)]]),
        ({"scores": SCORES}, [[("", 0.75), ("", 0.25)], [("", 0.5), ("", 0.5)]]),
        ({"scores": SCORES, "extra": floats(1)}, [[("", 0.75), ("", 0.25)], [("", 0.5)] * 2]),
        ({"scores": np.zeros((2, 0), np.float32)}, [[], []]),
    ],
)
def test_outputs_become_classes(outputs, expected):
    loaded = load(outputs, serving_default=signature(outputs=tuple(outputs)))
    response = ask(loaded)
    assert read(response) == expected
    spec = response.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("m", "serving_default", 7)


def test_label_that_is_no_text_has_a_sign_for_it():
    response = ask(load({"classes": strings([b"\xff"], [b"ok"])}))
    assert read(response) == [[("\ufffd", 0)], [("ok", 0)]]


def test_named_signature_is_used():
    one, two = signature(), signature()
    loaded = load({"one": None, "two": {"scores": SCORES}}, one=one, two=two)
    response = ask(loaded, signature_name="two")
    assert response.model_spec.signature_name == "two"
    assert [name for name, _ in loaded.servable.asked] == ["two"]


SIGNATURES = {
    "no input": (signature(inputs=()), "Expected one input Tensor."),
    "two inputs": (signature(inputs=("inputs", "x")), "Expected one input Tensor."),
    "three outputs": (
        signature(outputs=("classes", "scores", "x")),
        "Expected one or two output Tensors, found 3",
    ),
    "another input": (
        signature(inputs=("x",)),
        'No classification inputs found in SignatureDef: inputs {\n  key: "x"',
    ),
    "other outputs": (
        signature(outputs=("y",)),
        'Expected classification signature outputs to contain at least one of "classes" or '
        '"scores". Signature was: inputs {',
    ),
    "numbers in": (
        signature(dtype=FLOAT),
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


@pytest.mark.parametrize("method", [CLASSIFY, "tensorflow/serving/predict"])
def test_method_name_is_checked_only_where_that_is_asked_for(method):
    loaded = load({"scores": SCORES}, serving_default=signature(method=method))
    assert read(ask(loaded))
    if method == CLASSIFY:
        assert read(ask(loaded, check=True))
        return
    with pytest.raises(InvalidArgument) as caught:
        ask(loaded, check=True)
    assert caught.value.message == (
        "Expected classification signature method_name to be tensorflow/serving/classify. "
        "Was: tensorflow/serving/predict"
    )


OUTPUTS = {
    "one dimension": (
        {"scores": floats(1, 2)},
        "Expected Tensor shape: [batch_size num_classes] but got [2]",
    ),
    "labels that are numbers": (
        {"classes": np.zeros((2, 2), np.int64)},
        "Expected classes Tensor of DT_STRING. Got: DT_INT64",
    ),
    "scores that are doubles": (
        {"scores": np.zeros((2, 2))},
        "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE",
    ),
    "labels of another batch": (
        {"classes": strings([b"a"])},
        "Expected classes output batch size of 2. Got: 1",
    ),
    "scores of another batch": (
        {"scores": floats([1], [2], [3])},
        "Expected scores output batch size of 2. Got: 3",
    ),
    "more scores than labels": (
        {"classes": strings([b"a"], [b"b"]), "scores": SCORES},
        "Tensors class and score should match in dim_size(1). Got 1 vs. 2",
    ),
}


@pytest.mark.parametrize(("outputs", "message"), OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_of_another_form_are_refused(outputs, message):
    with pytest.raises(InvalidArgument) as caught:
        ask(load(outputs))
    assert caught.value.message == message
