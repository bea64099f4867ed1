"""The gRPC services on TensorFlow Serving's own messages."""

from collections.abc import Mapping
from typing import Any, Final

import grpc
import numpy as np

from darkroom.serving import protos
from darkroom.serving.model_server.core import ModelSpec, ServerCore
from darkroom.serving.model_server.errors import InvalidArgument, Unimplemented
from darkroom.serving.model_server.event_loop import call_by_size
from darkroom.serving.model_server.grpc_api.calls import Calls, Method
from darkroom.serving.model_server.inference.classify import classify
from darkroom.serving.model_server.inference.examples import ExampleApi, fill_model_spec
from darkroom.serving.model_server.inference.multi_inference import multi_inference
from darkroom.serving.model_server.inference.predict import predict
from darkroom.serving.model_server.inference.regress import regress
from darkroom.serving.model_server.inference.signature_checks import (
    DEFAULT_SIGNATURE,
    name_tensor,
    read_tensors,
)
from darkroom.serving.protos.tensors import TensorError, check_filled, fill_tensor, measure

_SIGNATURE_DEF: Final = "signature_def"


def create_handlers(calls: Calls) -> tuple[grpc.GenericRpcHandler, ...]:
    """Returns PredictionService and ModelService for a `grpc.aio` server."""
    return tuple(_create_service(name, calls) for name in protos.SERVICES)


def _create_service(name: str, calls: Calls) -> grpc.GenericRpcHandler:
    handlers = {}
    for method in protos.load_pool().FindServiceByName(name).methods:
        request = protos.message_class(method.input_type.full_name)
        handler = calls.create_handler(method.name, request, _METHODS[method.name])
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(handler)
    return grpc.method_handlers_generic_handler(name, handlers)


async def _predict(core: ServerCore, request: Any) -> Any:
    with core.lease(_read_spec(request)) as loaded:
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        inputs = await call_by_size(_measure(request), read_tensors, request.inputs)
        outputs = await predict(
            loaded.servable, name, inputs, list(request.output_filter), core.check_method_names
        )
        response = protos.create_message("PredictResponse")
        fill_model_spec(response.model_spec, request.model_spec.name, name, loaded.version)
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


def _fill_tensors(tensors: Any, outputs: Mapping[str, np.ndarray]) -> None:
    for name, array in outputs.items():
        try:
            fill_tensor(tensors[name], array)
        except TensorError as error:
            raise Unimplemented(f"output {name}: {error}") from None


def _create_method(api: ExampleApi) -> Method:
    async def answer(core: ServerCore, request: Any) -> Any:
        with core.lease(_read_spec(request)) as loaded:
            return await api(loaded, request, core.check_method_names)

    return answer


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
        signatures = protos.create_message("SignatureDefMap")
        for name, signature in loaded.servable.signature_defs.items():
            # A message of TensorFlow's own, which is no message of these to copy from.
            signatures.signature_def[name].MergeFromString(signature.SerializeToString())
        response = protos.create_message("GetModelMetadataResponse")
        fill_model_spec(response.model_spec, spec.name, "", loaded.version)
    response.metadata[_SIGNATURE_DEF].Pack(signatures)
    return response


async def _get_model_status(core: ServerCore, request: Any) -> Any:
    response = protos.create_message("GetModelStatusResponse")
    for status in core.list_statuses(_read_spec(request)):
        entry = response.model_version_status.add()
        entry.version = status.version
        entry.state = int(status.state)
        entry.status.error_code = int(status.code)
        entry.status.error_message = status.message
    return response


async def _reload_config(core: ServerCore, request: Any) -> Any:
    """Answers once the models that it adds are AVAILABLE.

    That has by how much the metrics which the request names have increased meanwhile; names that
    are unknown have not, as in TensorFlow Serving.
    """
    if request.config.WhichOneof("config") != "model_config_list":
        raise InvalidArgument(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    before = {name: core.metrics.read_count(name) for name in request.metric_names}
    await core.reload(request.config)
    response = protos.create_message("ReloadConfigResponse")
    response.status.SetInParent()
    for name, count in before.items():
        increase = core.metrics.read_count(name) - count
        response.metric.add(name=name, int64_value_increase=increase)
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


_METHODS: Final[dict[str, Method]] = {
    "Predict": _predict,
    "Classify": _create_method(classify),
    "Regress": _create_method(regress),
    "MultiInference": _multi_inference,
    "GetModelMetadata": _get_model_metadata,
    "GetModelStatus": _get_model_status,
    "HandleReloadConfigRequest": _reload_config,
}
