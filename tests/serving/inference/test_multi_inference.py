"""Multi-inference: several signatures of a model, asked about the same examples."""

import asyncio

import pytest

from darkroom.serving.model_server.errors import InvalidArgument, Unimplemented
from darkroom.serving.model_server.inference.multi_inference import multi_inference
from darkroom.tests.serving.inference.models import (
    CLASSIFY,
    REGRESS,
    create_request,
    floats,
    load,
    signature,
)

SIGNATURES = {
    "serving_default": signature(outputs=("scores",)),
    "number": signature(outputs=("outputs",)),
}
OUTPUTS = {"serving_default": {"scores": floats([0.5])}, "number": {"outputs": floats(3)}}


def ask(*tasks, outputs=None, check=False, examples=({"x": 1.0},)):
    request = create_request("MultiInferenceRequest", examples)
    for name, signature_name, method in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name = name
        task.model_spec.signature_name = signature_name
    loaded = load(outputs or OUTPUTS, **SIGNATURES)
    return loaded, asyncio.run(multi_inference(loaded, request, check))


def test_each_task_has_its_result_in_order():
    loaded, response = ask(("m", "number", REGRESS), ("m", "", CLASSIFY))
    number, classes = response.results
    assert number.regression_result.regressions[0].value == 3
    assert classes.classification_result.classifications[0].classes[0].score == 0.5
    assert [result.model_spec.signature_name for result in response.results] == [
        "number",
        "serving_default",
    ]
    assert {result.model_spec.version.value for result in response.results} == {7}
    assert sorted(name for name, _ in loaded.servable.asked) == ["number", "serving_default"]


REFUSALS = {
    "no name": ([("", "", CLASSIFY)], "Found ModelSpec with an empty model name."),
    "two models": (
        [("m", "", CLASSIFY), ("n", "number", REGRESS)],
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    ),
    "one signature twice": (
        [("m", "", CLASSIFY), ("m", "serving_default", CLASSIFY)],
        "Duplicate evaluation of signature: serving_default",
    ),
    "unknown signature": (
        [("m", "nope", CLASSIFY)],
        "Requested signature not found in model graph: nope",
    ),
    "form of the other method": (
        [("m", "", REGRESS)],
        "No regression outputs found in SignatureDef: ",
    ),
}


@pytest.mark.parametrize(("tasks", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_has_tensorflow_servings_words(tasks, message):
    with pytest.raises(InvalidArgument) as caught:
        ask(*tasks)
    assert caught.value.message.startswith(message)


def test_task_of_another_method_is_not_implemented():
    with pytest.raises(Unimplemented, match="Unsupported signature method_name: tensorflow/serv"):
        ask(("m", "", "tensorflow/serving/predict"))


def test_method_names_are_checked_where_that_is_asked_for():
    with pytest.raises(InvalidArgument, match="Expected classification signature method_name"):
        ask(("m", "", CLASSIFY), check=True)


def test_no_examples_are_refused_after_the_tasks():
    with pytest.raises(InvalidArgument, match="Input is empty"):
        ask(("m", "", CLASSIFY), examples=())
    with pytest.raises(InvalidArgument, match="Requested signature not found"):
        ask(("m", "nope", CLASSIFY), examples=())


def test_model_that_fails_at_one_task_fails_the_request_once_all_have_ended():
    failing = {**OUTPUTS, "number": RuntimeError("no more memory")}
    with pytest.raises(RuntimeError, match="no more memory"):
        ask(("m", "number", REGRESS), ("m", "", CLASSIFY), outputs=failing)
