"""Classify, Regress and MultiInference of a running server, with TensorFlow Serving's own stubs.

Models are those of TensorFlow Serving's reference and one that takes examples.
"""

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

HALF_PLUS_THREE = "saved_model_half_plus_three"
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture(scope="module")
def service(reference_server):
    options = [("grpc.enable_http_proxy", 0)]
    address = f"127.0.0.1:{reference_server.grpc_port}"
    with grpc.insecure_channel(address, options) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def create_example(**features):
    example = tf.train.Example()
    for name, value in features.items():
        if isinstance(value, bytes):
            example.features.feature[name].bytes_list.value.append(value)
        else:
            example.features.feature[name].float_list.value.append(value)
    return example


def create_input(*examples, context=None):
    if context is None:
        return input_pb2.Input(example_list=input_pb2.ExampleList(examples=examples))
    with_context = input_pb2.ExampleListWithContext(examples=examples, context=context)
    return input_pb2.Input(example_list_with_context=with_context)


def fill(request, input_=None, model="examples", signature="", version=None):
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    request.input.CopyFrom(input_ or create_input(create_example(x=1.0)))
    return request


def classification(*args, **options):
    return fill(classification_pb2.ClassificationRequest(), *args, **options)


def regression(*args, **options):
    return fill(regression_pb2.RegressionRequest(), *args, **options)


def multi_inference(*tasks, input_=None):
    request = inference_pb2.MultiInferenceRequest()
    request.input.CopyFrom(input_ or create_input(create_example(x=1.0)))
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name = model
        task.model_spec.signature_name = signature
    return request


def test_predict(service):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = HALF_PLUS_THREE
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0, 5.0]))
    response = service.Predict(request, timeout=30)
    assert list(response.outputs["y"].float_val) == [3.5, 4.0, 5.5]
    assert response.model_spec.version.value == 123


def test_regress(service):
    examples = create_input(create_example(x=1.0), create_example(x=2.0))
    response = service.Regress(regression(examples, HALF_PLUS_THREE, REGRESS), timeout=30)
    assert [regression.value for regression in response.result.regressions] == [3.5, 4.0]
    spec = response.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == (HALF_PLUS_THREE, REGRESS, 123)


def test_context_is_shared_by_the_examples(service):
    examples = create_input(create_example(), create_example(x=2.0), context=create_example(x=8.0))
    response = service.Regress(regression(examples, HALF_PLUS_THREE, REGRESS), timeout=30)
    assert [regression.value for regression in response.result.regressions] == [7.0, 4.0]


def test_classify(service):
    examples = create_input(create_example(image=b"abcd", caption=b"sea"))
    response = service.Classify(classification(examples, signature="classify_objects"), timeout=30)
    (classes,) = response.result.classifications
    assert [(c.label, c.score) for c in classes.classes] == [("image", 1), ("caption", 0.75)]
    assert response.model_spec.signature_name == "classify_objects"


def test_multi_inference(service):
    tasks = [(HALF_PLUS_THREE, REGRESS, REGRESS), (HALF_PLUS_THREE, CLASSIFY, CLASSIFY)]
    first, second = service.MultiInference(multi_inference(*tasks), timeout=30).results
    assert [regression.value for regression in first.regression_result.regressions] == [3.5]
    assert second.classification_result.classifications[0].classes[0].score == 3.5
    assert [result.model_spec.signature_name for result in (first, second)] == [REGRESS, CLASSIFY]
    assert first.model_spec.version.value == 123


REFUSALS = {
    "classify without a model": (
        "Classify",
        classification_pb2.ClassificationRequest(),
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    ),
    "regress without a model": (
        "Regress",
        regression_pb2.RegressionRequest(),
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    ),
    "multi-inference without a task": (
        "MultiInference",
        multi_inference(),
        "INVALID_ARGUMENT",
        "ModelSpec has no name specified.",
    ),
    "unknown model": (
        "Classify",
        classification(model="half"),
        "NOT_FOUND",
        "Servable not found for request: Latest(half)",
    ),
    "unknown version": (
        "Regress",
        regression(version=9),
        "NOT_FOUND",
        "Servable not found for request: Specific(examples, 9)",
    ),
    "unknown signature": (
        "Classify",
        classification(signature="nope"),
        "INVALID_ARGUMENT",
        "No signature was found with the name: nope",
    ),
    "no examples": (
        "Regress",
        regression(create_input(), signature="regress_sum"),
        "INVALID_ARGUMENT",
        "Input is empty.",
    ),
    "no input": (
        "Classify",
        classification(input_pb2.Input(), signature="classify_objects"),
        "INVALID_ARGUMENT",
        "Input is empty.",
    ),
    "signature of another form": (
        "Regress",
        regression(signature="classify_objects"),
        "INVALID_ARGUMENT",
        "Expected one output Tensor.",
    ),
    "output of another size": (
        "Regress",
        regression(create_input(create_example(), create_example()), signature="regress_total"),
        "INVALID_ARGUMENT",
        "Input batch size did not match output batch size: 2 vs. 1",
    ),
    "tasks for two models": (
        "MultiInference",
        multi_inference(("examples", "regress_sum", REGRESS), (HALF_PLUS_THREE, "", CLASSIFY)),
        "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    ),
    "task of another method": (
        "MultiInference",
        multi_inference(("examples", "regress_sum", "tensorflow/serving/predict")),
        "UNIMPLEMENTED",
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
}


@pytest.mark.parametrize(("method", "request_", "code", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_has_tensorflow_servings_code_and_words(service, method, request_, code, message):
    with pytest.raises(grpc.RpcError) as caught:
        getattr(service, method)(request_, timeout=30)
    assert (caught.value.code().name, caught.value.details()) == (code, message)
