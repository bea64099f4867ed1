"""The gRPC services on TensorFlow Serving's own messages; imports TensorFlow."""

import logging
from collections.abc import Callable
from typing import Any, Final

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.model_server.core import ModelSpec, ServerCore, predict
from serving.model_server.errors import (
    Code,
    InvalidArgument,
    StatusError,
    Unimplemented,
    to_status_error,
)
from serving.model_server.inference.signature_checks import DEFAULT_SIGNATURE
from serving.protos.tensors import TensorError, fill_tensor, to_array

logger = logging.getLogger(__name__)

MAX_MESSAGE: Final = 1024
"""Characters of an error message; gRPC limits what its trailers can carry."""
_GRPC_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_SIGNATURE_DEF: Final = "signature_def"


def add_services(core: ServerCore, server: grpc.Server) -> None:
    """Registers PredictionService and ModelService with a gRPC server."""
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _PredictionService(core), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(core), server)


def _answer(context: Any, function: Callable[[], Any]) -> Any:
    """Calls a function and turns its errors into gRPC statuses."""
    try:
        if not context.is_active():
            # The caller's deadline passed while the request waited for a thread.
            raise StatusError(Code.CANCELLED, "Request cancelled")
        return function()
    except Exception as error:
        status = to_status_error(error)
        if not isinstance(error, StatusError):
            logger.debug("gRPC request failed", exc_info=error)
        message = status.message
        if len(message) > MAX_MESSAGE:
            message = message[:MAX_MESSAGE] + "...TRUNCATED"
        # abort() raises; leaving the handler so is how gRPC learns of the status.
        context.abort(_GRPC_CODES[status.code], message)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, core: ServerCore) -> None:
        self._core = core

    def Predict(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda: _predict(self._core, request))

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda: _get_model_metadata(self._core, request))

    def Classify(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda: _refuse("Classify"))

    def Regress(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda: _refuse("Regress"))

    def MultiInference(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda: _refuse("MultiInference"))


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, core: ServerCore) -> None:
        self._core = core

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda: _get_model_status(self._core, request))

    def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:
        return _answer(context, lambda: _refuse("HandleReloadConfigRequest"))


def _refuse(method: str) -> None:
    raise Unimplemented(f"{method} is not supported by this server")


def _predict(core: ServerCore, request: Any) -> Any:
    with core.lease(_read_spec(request)) as loaded:
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        inputs = {key: _read_tensor(key, proto) for key, proto in request.inputs.items()}
        outputs = predict(loaded, name, inputs, list(request.output_filter))
        response = predict_pb2.PredictResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.signature_name = name
        response.model_spec.version.value = loaded.version
    for key, array in outputs.items():
        try:
            fill_tensor(response.outputs[key], array)
        except TensorError as error:
            raise Unimplemented(f"output {key}: {error}") from None
    return response


def _read_tensor(name: str, proto: Any) -> Any:
    try:
        return to_array(proto)
    except TensorError as error:
        raise InvalidArgument(f"tensor parsing error: {name} ({error})") from None


def _get_model_metadata(core: ServerCore, request: Any) -> Any:
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


def _get_model_status(core: ServerCore, request: Any) -> Any:
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
