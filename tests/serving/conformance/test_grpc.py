"""The gRPC API, case by case, as TensorFlow Serving's protos and source have it."""

import grpc
import numpy as np
import pytest

from darkroom.serving import protos
from darkroom.serving.protos import tensors
from darkroom.tests.serving.conformance.write_models import (
    HALF_PLUS_TWO,
    VERSIONS,
    ZOO,
    ZOO_VERSION,
)

PREDICT = ("PredictionService/Predict", "PredictResponse")
CLASSIFY = ("PredictionService/Classify", "ClassificationResponse")
REGRESS = ("PredictionService/Regress", "RegressionResponse")
MULTI_INFERENCE = ("PredictionService/MultiInference", "MultiInferenceResponse")
METADATA = ("PredictionService/GetModelMetadata", "GetModelMetadataResponse")
STATUS = ("ModelService/GetModelStatus", "GetModelStatusResponse")


def create(name, model=None, signature="", version=None, label=None):
    request = protos.message_class(f"tensorflow.serving.{name}")()
    if model is not None:
        _fill_spec(request.model_spec, model, signature, version, label)
    return request


def _fill_spec(spec, model, signature="", version=None, label=None):
    spec.name, spec.signature_name = model, signature
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label


def predict(model, inputs, signature="", output_filter=(), **where):
    request = create("PredictRequest", model, signature, **where)
    request.output_filter.extend(output_filter)
    for name, array in inputs.items():
        tensors.fill_tensor(request.inputs[name], array)
    return request


def infer(name, signature, *values, model=HALF_PLUS_TWO):
    request = create(name, model, signature)
    _add_examples(request.input, values)
    return request


def _add_examples(input_, values):
    for value in values:
        example = input_.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(value)


def multi_inference(*tasks, values=(2.0,)):
    request = create("MultiInferenceRequest")
    for signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        _fill_spec(task.model_spec, HALF_PLUS_TWO, signature)
    _add_examples(request.input, values)
    return request


def floats(*values):
    return np.array(values, np.float32)


def metadata(model, *fields, **where):
    request = create("GetModelMetadataRequest", model, **where)
    request.metadata_field.extend(fields)
    return request


def test_predict_names_model_signature_and_version(call):
    response = call(PREDICT[0], predict(ZOO, {"x": floats(1, 5)}, "half_plus_two"), PREDICT[1])
    assert tensors.to_array(response.outputs["y"]).tolist() == [2.5, 4.5]
    spec = response.model_spec
    assert (spec.name, spec.signature_name) == (ZOO, "half_plus_two")
    assert spec.version.value == ZOO_VERSION


def test_predict_of_the_default_signature_names_it(call):
    response = call(PREDICT[0], predict(HALF_PLUS_TWO, {"x": floats([2])}), PREDICT[1])
    assert tensors.to_array(response.outputs["y"]).tolist() == [[3.0]]
    assert response.model_spec.signature_name == "serving_default"


@pytest.mark.parametrize("signature", ["", "defaulted"])
def test_predict_takes_rows_of_another_shape_than_the_signature_has(call, signature):
    response = call(
        PREDICT[0], predict(HALF_PLUS_TWO, {"x": floats(1, 2, 5)}, signature), PREDICT[1]
    )
    assert tensors.to_array(response.outputs["y"]).tolist() == [2.5, 3.0, 4.5]


@pytest.mark.parametrize(
    ("where", "version"),
    [({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1), ({"label": "canary"}, 2)],
)
def test_version_and_label(call, where, version):
    response = call(PREDICT[0], predict(VERSIONS, {"x": floats(0)}, **where), PREDICT[1])
    assert tensors.to_array(response.outputs["value"]).tolist() == [version]
    assert response.model_spec.version.value == version


def test_output_filter(call):
    request = predict(ZOO, {"image_bytes": np.array([b"hi"], object)}, "echo", ["size", "text"])
    response = call(PREDICT[0], request, PREDICT[1])
    assert set(response.outputs) == {"size", "text"}


def test_classify(call):
    response = call(CLASSIFY[0], infer("ClassificationRequest", "classify", 2.0, 4.0), CLASSIFY[1])
    answer = [[(c.label, c.score) for c in row.classes] for row in response.result.classifications]
    assert answer == [[("high", 3.0), ("low", -3.0)], [("high", 4.0), ("low", -4.0)]]
    spec = response.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == (HALF_PLUS_TWO, "classify", 1)


def test_regress(call):
    response = call(REGRESS[0], infer("RegressionRequest", "regress", 2.0, 4.0), REGRESS[1])
    assert [row.value for row in response.result.regressions] == [3.0, 4.0]
    assert response.model_spec.version.value == 1


def test_examples_with_a_context(call):
    request = create("RegressionRequest", HALF_PLUS_TWO, "regress")
    examples = request.input.example_list_with_context
    examples.context.features.feature["x"].float_list.value.append(6)
    examples.examples.add()
    response = call(REGRESS[0], request, REGRESS[1])
    assert [row.value for row in response.result.regressions] == [5.0]


def test_multi_inference(call):
    request = multi_inference(("regress", "regress"), ("classify", "classify"))
    regressed, classified = call(MULTI_INFERENCE[0], request, MULTI_INFERENCE[1]).results
    assert regressed.regression_result.regressions[0].value == 3.0
    assert classified.classification_result.classifications[0].classes[0].label == "high"
    assert regressed.model_spec.signature_name == "regress"


@pytest.mark.parametrize(
    ("model", "where", "versions"),
    [(ZOO, {}, [ZOO_VERSION]), (VERSIONS, {}, [2, 1]), (VERSIONS, {"version": 1}, [1])],
)
def test_status(call, model, where, versions):
    response = call(STATUS[0], create("GetModelStatusRequest", model, **where), STATUS[1])
    states = [(entry.version, entry.state) for entry in response.model_version_status]
    assert states == [(version, 30) for version in versions]
    assert {entry.status.error_code for entry in response.model_version_status} == {0}


@pytest.mark.parametrize(("where", "version"), [({}, 2), ({"label": "stable"}, 1)])
def test_metadata(call, where, version):
    response = call(METADATA[0], metadata(VERSIONS, "signature_def", **where), METADATA[1])
    assert (response.model_spec.name, response.model_spec.version.value) == (VERSIONS, version)
    signatures = protos.message_class("tensorflow.serving.SignatureDefMap")()
    assert response.metadata["signature_def"].Unpack(signatures)
    (name,) = signatures.signature_def["serving_default"].inputs
    assert name == "x"


REFUSALS = {
    "predict, unknown model": (
        PREDICT, predict("nope", {"x": floats(1)}), "NOT_FOUND",
        "Servable not found for request: Latest(nope)"),
    "predict, unknown version": (
        PREDICT, predict(ZOO, {"x": floats(1)}, version=9), "NOT_FOUND",
        f"Servable not found for request: Specific({ZOO}, 9)"),
    "predict, unknown label": (
        PREDICT, predict(VERSIONS, {"x": floats(1)}, label="nope"), "INVALID_ARGUMENT",
        "Unrecognized servable version label: nope"),
    "predict, no model": (
        PREDICT, create("PredictRequest"), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "predict, no name": (
        PREDICT, predict("", {"x": floats(1)}, "add"), "INVALID_ARGUMENT",
        "ModelSpec has no name specified."),
    "predict, unknown signature": (
        PREDICT, predict(ZOO, {"x": floats(1)}, "nope"), "FAILED_PRECONDITION",
        'Serving signature key "nope" not found.'),
    "predict, missing input": (
        PREDICT, predict(ZOO, {"x": floats(1)}, "add"), "INVALID_ARGUMENT",
        "input size does not match signature: 1!=2"),
    "predict, unknown input": (
        PREDICT, predict(ZOO, {"z": floats(1)}, "half_plus_two"), "INVALID_ARGUMENT", ""),
    "predict, another type": (
        PREDICT, predict(ZOO, {"x": np.array([1.0])}, "half_plus_two"), "INVALID_ARGUMENT", ""),
    "predict, unknown output": (
        PREDICT, predict(ZOO, {"x": floats(1)}, "half_plus_two", ["nope"]), "INVALID_ARGUMENT",
        "output tensor alias not found in signature: nope"),
    "predict, an output twice": (
        PREDICT, predict(ZOO, {"x": floats(1)}, "half_plus_two", ["y", "y"]), "INVALID_ARGUMENT",
        "duplicate output tensor alias: y"),
    "classify, no examples": (
        CLASSIFY, infer("ClassificationRequest", "classify"), "INVALID_ARGUMENT",
        "Input is empty."),
    "classify, unknown signature": (
        CLASSIFY, infer("ClassificationRequest", "nope", 1.0), "INVALID_ARGUMENT",
        "No signature was found with the name: nope"),
    "classify, a signature for predict": (
        CLASSIFY, infer("ClassificationRequest", "", 1.0), "INVALID_ARGUMENT",
        "No classification inputs found in SignatureDef: "),
    "classify, unknown model": (
        CLASSIFY, infer("ClassificationRequest", "", 1.0, model="nope"), "NOT_FOUND",
        "Servable not found for request: Latest(nope)"),
    "regress, no examples": (
        REGRESS, infer("RegressionRequest", "regress"), "INVALID_ARGUMENT", "Input is empty."),
    "regress, a signature for classify": (
        REGRESS, infer("RegressionRequest", "classify", 1.0), "INVALID_ARGUMENT",
        "Expected one output Tensor."),
    "multi inference, a signature twice": (
        MULTI_INFERENCE, multi_inference(("regress", "regress"), ("regress", "regress")),
        "INVALID_ARGUMENT", "Duplicate evaluation of signature: regress"),
    "multi inference, unknown signature": (
        MULTI_INFERENCE, multi_inference(("nope", "regress")),
        "INVALID_ARGUMENT", "Requested signature not found in model graph: nope"),
    "multi inference, another method": (
        MULTI_INFERENCE, multi_inference(("regress", "predict")),
        "UNIMPLEMENTED", "Unsupported signature method_name: tensorflow/serving/predict"),
    "status, unknown model": (
        STATUS, create("GetModelStatusRequest", "nope"), "NOT_FOUND",
        "Could not find any versions of model nope"),
    "status, unknown version": (
        STATUS, create("GetModelStatusRequest", ZOO, version=9), "NOT_FOUND",
        f"Could not find version 9 of model {ZOO}"),
    "status, no model": (
        STATUS, create("GetModelStatusRequest"), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "metadata, no field": (
        METADATA, metadata(ZOO), "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field"),
    "metadata, unknown field": (
        METADATA, metadata(ZOO, "nope"), "INVALID_ARGUMENT",
        "Metadata field nope is not supported"),
    "metadata, unknown model": (
        METADATA, metadata("nope", "signature_def"), "NOT_FOUND",
        "Servable not found for request: Latest(nope)"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "request_", "code", "text"), REFUSALS.values(), ids=REFUSALS)
def test_refusal(call, method, request_, code, text):
    with pytest.raises(grpc.RpcError) as caught:
        call(method[0], request_, method[1])
    assert caught.value.code().name == code
    # Some texts go on with what depends on the version of TensorFlow Serving.
    assert caught.value.details().startswith(text)


def test_method_that_there_is_not(call):
    with pytest.raises(grpc.RpcError) as caught:
        call("PredictionService/Explain", predict(ZOO, {}), "PredictResponse")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
