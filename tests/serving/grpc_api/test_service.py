"""The gRPC API of a running server, asked with TensorFlow Serving's own stubs."""

import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from darkroom.serving.model_server.inference import signature_checks
from darkroom.serving.protos.tensors import to_array
from darkroom.tests.serving.saved_models import without_function_names


@pytest.fixture(scope="module")
def channel(grpc_address):
    options = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(grpc_address, options) as open_channel:
        yield open_channel


@pytest.fixture(scope="module")
def prediction_service(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def model_service(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def predict_request(signature="", model="zoo", version=None, label=None, outputs=(), **inputs):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def floats(*values):
    return np.array(values, np.float32)


def test_predict(prediction_service):
    request = predict_request("add", x=floats(1, 2), y=floats(0.5, 0.25))
    response = prediction_service.Predict(request, timeout=30)
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["z"]), floats(1.5, 2.25))
    # Clients in other languages read the typed field, which TensorFlow Serving fills.
    assert list(response.outputs["z"].float_val) == [1.5, 2.25]
    assert response.model_spec.name == "zoo"
    assert response.model_spec.signature_name == "add"
    assert response.model_spec.version.value == 3


def test_default_signature_and_strings(prediction_service):
    request = predict_request(image_bytes=[b"hello", b"broken"], version=3)
    response = prediction_service.Predict(request, timeout=30)
    assert response.model_spec.signature_name == "serving_default"
    assert list(response.outputs["valid"].bool_val) == [True, False]
    assert response.outputs["label"].string_val[1] == b""
    assert list(response.outputs["classes"].string_val) == [b"cat", b"dog", b"emu"] * 2


def test_every_type_comes_back_as_tensorflow_reads_it(prediction_service):
    request = predict_request("kinds", x=floats(1, -2), n=np.int64(10))
    outputs = prediction_service.Predict(request, timeout=30).outputs
    arrays = {name: tf.make_ndarray(proto) for name, proto in outputs.items()}
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "double": "float64", "half": "float16", "int": "int32", "uint8": "uint8",
        "positive": "bool", "float": "float32",
    }  # fmt: skip
    np.testing.assert_array_equal(arrays["half"], np.array([1, -2], np.float16))
    np.testing.assert_array_equal(arrays["int"], [[11, 12], [8, 9]])
    np.testing.assert_array_equal(arrays["uint8"], [1, 254])


def test_halves_of_every_kind(prediction_service):
    request = predict_request("brain", x=np.array([1.5, -2], tf.bfloat16.as_numpy_dtype))
    outputs = prediction_service.Predict(request, timeout=30).outputs
    arrays = {name: tf.make_ndarray(proto).tolist() for name, proto in outputs.items()}
    assert arrays == {"bfloat16": [3, -4], "half": [1.5, -2], "uint16": [1, 65534]}
    assert list(outputs["bfloat16"].half_val) == [0x4040, 0xC080]


def test_options_for_streams_are_ignored_by_the_call_without_one(prediction_service):
    request = predict_request("total", x=floats(1, 2))
    request.predict_streamed_options.request_state = 2
    response = prediction_service.Predict(request, timeout=30)
    assert tf.make_ndarray(response.outputs["total"]) == 3


def test_output_filter(prediction_service):
    request = predict_request("echo", outputs=["size", "text"], image_bytes=[b"ab"])
    response = prediction_service.Predict(request, timeout=30)
    assert set(response.outputs) == {"size", "text"}


def test_message_of_many_megabytes(prediction_service):
    image = bytes(12_000_000)
    request = predict_request("echo", outputs=["data_bytes"], image_bytes=[image])
    response = prediction_service.Predict(request, timeout=60)
    assert response.outputs["data_bytes"].string_val[0] == image


def test_metadata(prediction_service):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "zoo"
    response = prediction_service.GetModelMetadata(request, timeout=30)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 3
    assert set(signatures.signature_def["add"].inputs) == {"x", "y"}
    assert signatures.signature_def["add"].inputs["x"].dtype == tf.float32.as_datatype_enum


def test_status(model_service):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "zoo"
    (status,) = model_service.GetModelStatus(request, timeout=30).model_version_status
    assert status.version == 3
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert (status.status.error_code, status.status.error_message) == (0, "")


REFUSALS = {
    "no model spec": (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no name": (
        predict_request(model=""),
        "INVALID_ARGUMENT",
        "ModelSpec has no name specified.",
    ),
    "unknown model": (
        predict_request(model="half"),
        "NOT_FOUND",
        "Servable not found for request: Latest(half)",
    ),
    "unknown version": (
        predict_request(version=9),
        "NOT_FOUND",
        "Servable not found for request: Specific(zoo, 9)",
    ),
    "unknown label": (
        predict_request(label="canary"),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: canary",
    ),
    "unknown signature": (
        predict_request("nope"),
        "FAILED_PRECONDITION",
        'Serving signature key "nope" not found.',
    ),
    "missing input": (
        predict_request("add", x=floats(1)),
        "INVALID_ARGUMENT",
        "input size does not match signature: 1!=2 len({x}) != len({x,y}). Sent extra: {}. "
        "Missing but required: {y}.",
    ),
    "unknown input": (
        predict_request("half_plus_two", q=floats(1)),
        "INVALID_ARGUMENT",
        "Signature input alias: x(feed name: half_plus_two_x:0) not found in request and no "
        "default value provided. Inputs expected to be in the request {q}, or default input alias "
        "set: ",
    ),
    "wrong type": (
        predict_request("add", x=floats(1), y=np.array([1])),
        "INVALID_ARGUMENT",
        "Expects arg[1] to be float but int64 is provided",
    ),
    "unknown output": (
        predict_request("total", x=floats(1), outputs=["t"]),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: t Outputs expected to be in the set {total}.",
    ),
    "output twice": (
        predict_request("total", x=floats(1), outputs=["total", "total"]),
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: total",
    ),
    "the model refuses": (
        predict_request("add", x=floats(1, 2), y=floats(1, 2, 3)),
        "INVALID_ARGUMENT",
        "Incompatible shapes: [2] vs. [3]\n\t [[{{node add}}]]",
    ),
}


@pytest.mark.parametrize(("request_", "code", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_has_tensorflow_servings_code_and_words(
    prediction_service, request_, code, message
):
    with pytest.raises(grpc.RpcError) as caught:
        prediction_service.Predict(request_, timeout=30)
    details = without_function_names(caught.value.details())
    assert (caught.value.code().name, details) == (code, message)


def test_broken_tensor(prediction_service):
    request = predict_request("half_plus_two", x=floats(1))
    request.inputs["x"].tensor_shape.dim[0].size = -1
    with pytest.raises(grpc.RpcError, match="tensor parsing error: x"):
        prediction_service.Predict(request, timeout=30)


def test_long_message_is_cut_to_what_grpc_carries(prediction_service):
    request = predict_request("to_number", text=["x" * 20_000])
    with pytest.raises(grpc.RpcError) as caught:
        prediction_service.Predict(request, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert len(caught.value.details()) == 1024 + len("...TRUNCATED")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["foo"], "Metadata field foo is not supported"),
    ],
)
def test_metadata_refusal(prediction_service, fields, message):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = "zoo"
    with pytest.raises(grpc.RpcError) as caught:
        prediction_service.GetModelMetadata(request, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == message


def filled(dtype, size, *names):
    request = predict_request("echo")
    for name in names:
        tensor = request.inputs[name]
        tensor.dtype = dtype
        tensor.tensor_shape.dim.add().size = size
    return request


@pytest.mark.parametrize(
    "request_",
    [
        filled(tf.string.as_datatype_enum, 2**22, "image_bytes"),
        filled(tf.string.as_datatype_enum, 2**27, "image_bytes"),
        filled(tf.float32.as_datatype_enum, 2**21, *"abcde"),
    ],
    ids=["strings", "many strings", "several inputs"],
)
def test_small_message_that_unfolds_to_too_much(prediction_service, request_):
    with pytest.raises(grpc.RpcError, match=r"unfolds to \d+ bytes .* at most 33554432") as caught:
        prediction_service.Predict(request_, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_small_message_is_unfolded_beside_the_event_loop(prediction_service, monkeypatch):
    threads = []

    def note(proto):
        threads.append(threading.current_thread().name)
        return to_array(proto)

    monkeypatch.setattr(signature_checks, "to_array", note)
    for size in (1, 2**11):
        with pytest.raises(grpc.RpcError, match="input size does not match"):
            prediction_service.Predict(filled(tf.string.as_datatype_enum, size, *"ab"), timeout=30)
    assert threads[:2] == ["requests"] * 2
    assert "requests" not in threads[2:]
