"""The gRPC services on TensorFlow Serving's own messages; imports TensorFlow."""

from collections.abc import Mapping
from typing import Any, Final

import grpc
import numpy as np
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
    Unimplemented,
)
from serving.model_server.event_loop import call_by_size
from serving.model_server.grpc_api.calls import Calls, Method
from serving.model_server.grpc_api.reload import reload_config
from serving.model_server.inference.classify import classify
from serving.model_server.inference.multi_inference import multi_inference
from serving.model_server.inference.predict import predict
from serving.model_server.inference.regress import regress
from serving.model_server.inference.signature_checks import DEFAULT_SIGNATURE, name_tensor
from serving.protos.tensors import TensorError, check_filled, fill_tensor, measure, to_array

_SIGNATURE_DEF: Final = "signature_def"


def create_handlers(calls: Calls) -> tuple[grpc.GenericRpcHandler, ...]:
    """Returns PredictionService and ModelService for a `grpc.aio` server."""
    return tuple(
        grpc.method_handlers_generic_handler(
            service,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    calls.create_handler(name, request, method)
                )
                for name, (request, method) in methods.items()
            },
        )
        for service, methods in _SERVICES.items()
    )


async def _predict(core: ServerCore, request: Any) -> Any:
    with core.lease(_read_spec(request)) as loaded:
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        inputs = await call_by_size(_measure(request), _read_tensors, request)
        outputs = await predict(
            loaded.servable, name, inputs, list(request.output_filter), core.check_method_names
        )
        response = predict_pb2.PredictResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.signature_name = name
        response.model_spec.version.value = loaded.version
    size = sum(array.nbytes for array in outputs.values())
    await call_by_size(size, _fill_tensors, response.outputs, outputs)
    return response


def _measure(request: Any) -> int:
    """Returns how many bytes the inputs take; refuses those that unfold to too many."""
    all_ = filled = 0
    for name, proto in request.inputs.items():
        with name_tensor(name):
            size = measure(proto)
            all_, filled = all_ + size.all, filled + size.filled
            check_filled(filled)
    return all_ + request.ByteSize()


def _read_tensors(request: Any) -> dict[str, Any]:
    inputs = {}
    for name, proto in request.inputs.items():
        with name_tensor(name):
            inputs[name] = to_array(proto)
    return inputs


def _fill_tensors(protos: Any, outputs: Mapping[str, np.ndarray]) -> None:
    for name, array in outputs.items():
        try:
            fill_tensor(protos[name], array)
        except TensorError as error:
            raise Unimplemented(f"output {name}: {error}") from None


async def _classify(core: ServerCore, request: Any) -> Any:
    with core.lease(_read_spec(request)) as loaded:
        return await classify(loaded, request, core.check_method_names)


async def _regress(core: ServerCore, request: Any) -> Any:
    with core.lease(_read_spec(request)) as loaded:
        return await regress(loaded, request, core.check_method_names)


async def _multi_inference(core: ServerCore, request: Any) -> Any:
    # All tasks ask one model, that of the first.
    has_spec = request.tasks and request.tasks[0].HasField("model_spec")
    spec = _read_spec(request.tasks[0]) if has_spec else ModelSpec("")
    with core.lease(spec) as loaded:
        return await multi_inference(loaded, request, core.check_method_names)


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
    "tensorflow.serving.PredictionService": {
        "Predict": (predict_pb2.PredictRequest, _predict),
        "Classify": (classification_pb2.ClassificationRequest, _classify),
        "Regress": (regression_pb2.RegressionRequest, _regress),
        "MultiInference": (inference_pb2.MultiInferenceRequest, _multi_inference),
        "GetModelMetadata": (get_model_metadata_pb2.GetModelMetadataRequest, _get_model_metadata),
    },
    "tensorflow.serving.ModelService": {
        "GetModelStatus": (get_model_status_pb2.GetModelStatusRequest, _get_model_status),
        "HandleReloadConfigRequest": (
            model_management_pb2.ReloadConfigRequest,
            reload_config,
        ),
    },
}
