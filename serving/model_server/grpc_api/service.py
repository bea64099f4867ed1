"""The gRPC services on TensorFlow Serving's own messages; imports TensorFlow."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.model_server.core import ModelSpec, ServerCore
from serving.model_server.errors import (
    InvalidArgument,
    StatusError,
    Unimplemented,
    to_status_error,
)
from serving.model_server.event_loop import call_by_size
from serving.model_server.inference.predict import predict
from serving.model_server.inference.signature_checks import DEFAULT_SIGNATURE
from serving.protos.tensors import TensorError, fill_tensor, to_array

logger = logging.getLogger(__name__)

MAX_MESSAGE: Final = 1024
"""Characters of an error message; gRPC limits what its trailers can carry."""
_GRPC_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_SIGNATURE_DEF: Final = "signature_def"

Method = Callable[[ServerCore, Any], Awaitable[Any]]
"""Takes the models and a request message, returns the answer's message."""


def create_handlers(core: ServerCore) -> tuple[grpc.GenericRpcHandler, ...]:
    """Returns PredictionService and ModelService for a `grpc.aio` server."""
    return tuple(
        grpc.method_handlers_generic_handler(
            f"tensorflow.serving.{service}",
            {
                name: grpc.unary_unary_rpc_method_handler(_create_handler(core, request, method))
                for name, (request, method) in methods.items()
            },
        )
        for service, methods in _SERVICES.items()
    )


def _create_handler(
    core: ServerCore, request_class: Any, method: Method
) -> Callable[[bytes, Any], Awaitable[bytes]]:
    # Takes and gives bytes, so that a large message is read and written beside the event loop.
    async def handle(content: bytes, context: Any) -> bytes:
        try:
            request = await call_by_size(len(content), _parse, request_class, content)
            response = await method(core, request)
            return await call_by_size(response.ByteSize(), response.SerializeToString)
        except Exception as error:
            await _abort(context, error)
            raise  # Never reached: abort() raises.

    return handle


def _parse(message_class: Any, content: bytes) -> Any:
    try:
        return message_class.FromString(content)
    except DecodeError:
        name = message_class.DESCRIPTOR.full_name
        raise InvalidArgument(f"the request is not a message of type {name}") from None


async def _abort(context: Any, error: Exception) -> None:
    """Ends a call with the status of an error."""
    status = to_status_error(error)
    if not isinstance(error, StatusError):
        logger.debug("gRPC request failed", exc_info=error)
    message = status.message
    if len(message) > MAX_MESSAGE:
        message = message[:MAX_MESSAGE] + "...TRUNCATED"
    await context.abort(_GRPC_CODES[status.code], message)


def _unsupported(method: str) -> Method:
    async def refuse(core: ServerCore, request: Any) -> Any:
        raise Unimplemented(f"{method} is not supported by this server")

    return refuse


async def _predict(core: ServerCore, request: Any) -> Any:
    size = request.ByteSize()
    with core.lease(_read_spec(request)) as loaded:
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        inputs = await call_by_size(size, _read_tensors, request)
        outputs = await predict(loaded.servable, name, inputs, list(request.output_filter))
        response = predict_pb2.PredictResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.signature_name = name
        response.model_spec.version.value = loaded.version
    size = sum(array.nbytes for array in outputs.values())
    await call_by_size(size, _fill_tensors, response.outputs, outputs)
    return response


def _read_tensors(request: Any) -> dict[str, Any]:
    return {name: _read_tensor(name, proto) for name, proto in request.inputs.items()}


def _fill_tensors(protos: Any, outputs: Mapping[str, np.ndarray]) -> None:
    for name, array in outputs.items():
        try:
            fill_tensor(protos[name], array)
        except TensorError as error:
            raise Unimplemented(f"output {name}: {error}") from None


def _read_tensor(name: str, proto: Any) -> Any:
    try:
        return to_array(proto)
    except TensorError as error:
        raise InvalidArgument(f"tensor parsing error: {name} ({error})") from None


async def _get_model_metadata(core: ServerCore, request: Any) -> Any:
    spec = _read_spec(request)
    if not request.metadata_field:
        raise InvalidArgument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != _SIGNATURE_DEF:
            raise InvalidArgument(f"Metadata field {field} is not supported")
    with core.lease(spec) as loaded:
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in loaded.servable.signature_defs.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = loaded.version
    response.metadata[_SIGNATURE_DEF].Pack(signatures)
    return response


async def _get_model_status(core: ServerCore, request: Any) -> Any:
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in core.list_statuses(_read_spec(request)):
        entry = response.model_version_status.add()
        entry.version = status.version
        entry.state = int(status.state)
        entry.status.error_code = int(status.code)
        entry.status.error_message = status.message
    return response


def _read_spec(request: Any) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise InvalidArgument("Missing ModelSpec")
    spec = request.model_spec
    choice = spec.WhichOneof("version_choice")
    return ModelSpec(
        name=spec.name,
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
    )


_SERVICES: Final[dict[str, dict[str, tuple[Any, Method]]]] = {
    "PredictionService": {
        "Predict": (predict_pb2.PredictRequest, _predict),
        "Classify": (classification_pb2.ClassificationRequest, _unsupported("Classify")),
        "Regress": (regression_pb2.RegressionRequest, _unsupported("Regress")),
        "MultiInference": (inference_pb2.MultiInferenceRequest, _unsupported("MultiInference")),
        "GetModelMetadata": (get_model_metadata_pb2.GetModelMetadataRequest, _get_model_metadata),
    },
    "ModelService": {
        "GetModelStatus": (get_model_status_pb2.GetModelStatusRequest, _get_model_status),
        "HandleReloadConfigRequest": (
            model_management_pb2.ReloadConfigRequest,
            _unsupported("HandleReloadConfigRequest"),
        ),
    },
}
