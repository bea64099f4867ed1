"""Descriptors that `tensorflow-serving-api` leaves out, or that not every version of it can import.

Configuration messages by names and numbers of TensorFlow Serving's `ssl_config.proto`,
`monitoring_config.proto` and `session_bundle_config.proto`, and the two services. Used when the
shipped file is generated.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2

_PACKAGE: Final = "tensorflow.serving"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_WRAPPERS: Final = "google/protobuf/wrappers.proto"
_SERVICES: Final = {
    "PredictionService": {
        "Classify": ("classification", "ClassificationRequest", "ClassificationResponse"),
        "Regress": ("regression", "RegressionRequest", "RegressionResponse"),
        "Predict": ("predict", "PredictRequest", "PredictResponse"),
        "MultiInference": ("inference", "MultiInferenceRequest", "MultiInferenceResponse"),
        "GetModelMetadata": (
            "get_model_metadata",
            "GetModelMetadataRequest",
            "GetModelMetadataResponse",
        ),
    },
    "ModelService": {
        "GetModelStatus": ("get_model_status", "GetModelStatusRequest", "GetModelStatusResponse"),
        "HandleReloadConfigRequest": (
            "model_management",
            "ReloadConfigRequest",
            "ReloadConfigResponse",
        ),
    },
}
"""Service to method to the file of its messages, its request and its answer."""


def declare_files() -> list[Any]:
    """Returns one `FileDescriptorProto` a file, in the order of their dependencies."""
    ssl = _create_file("tensorflow_serving/config/ssl_config.proto")
    _add_message(
        ssl, "SSLConfig", server_key=(1, str), server_cert=(2, str), custom_ca=(3, str),
        client_verify=(4, bool),
    )  # fmt: skip
    monitoring = _create_file("tensorflow_serving/config/monitoring_config.proto")
    _add_message(monitoring, "PrometheusConfig", enable=(1, bool), path=(2, str))
    _add_message(
        monitoring, "MonitoringConfig", prometheus_config=(1, f".{_PACKAGE}.PrometheusConfig")
    )
    return [ssl, monitoring, _declare_batching(), *map(_declare_service, _SERVICES)]


def _declare_service(name: str) -> Any:
    file = _create_file(f"tensorflow_serving/apis/{_to_file_name(name)}.proto")
    service = file.service.add(name=name)
    for method, (module, request, response) in _SERVICES[name].items():
        file.dependency.append(f"tensorflow_serving/apis/{module}.proto")
        service.method.add(
            name=method,
            input_type=f".{_PACKAGE}.{request}",
            output_type=f".{_PACKAGE}.{response}",
        )
    return file


def _to_file_name(service: str) -> str:
    return service.removesuffix("Service").lower() + "_service"


def _declare_batching() -> Any:
    file = _create_file("tensorflow_serving/servables/tensorflow/session_bundle_config.proto")
    file.dependency.append(_WRAPPERS)
    integer, text, boolean = (
        f".google.protobuf.{name}Value" for name in ("Int64", "String", "Bool")
    )
    _add_message(
        file, "BatchingParameters", max_batch_size=(1, integer), batch_timeout_micros=(2, integer),
        max_enqueued_batches=(3, integer), num_batch_threads=(4, integer),
        thread_pool_name=(5, text), enable_large_batch_splitting=(8, boolean),
        max_execution_batch_size=(9, integer), allowed_batch_sizes=(6, int),
        pad_variable_length_inputs=(7, bool),
    )  # fmt: skip
    sizes = next(f for f in file.message_type[0].field if f.name == "allowed_batch_sizes")
    sizes.label = _FIELD.LABEL_REPEATED
    return file


def _create_file(name: str) -> Any:
    return descriptor_pb2.FileDescriptorProto(name=name, package=_PACKAGE, syntax="proto3")


_TYPES: Final = {str: _FIELD.TYPE_STRING, bool: _FIELD.TYPE_BOOL, int: _FIELD.TYPE_INT64}


def _add_message(file: Any, name: str, **fields: tuple[int, type | str]) -> None:
    message = file.message_type.add(name=name)
    for field_name, (number, type_) in fields.items():
        field = message.field.add(name=field_name, number=number, label=_FIELD.LABEL_OPTIONAL)
        if isinstance(type_, str):
            field.type, field.type_name = _FIELD.TYPE_MESSAGE, type_
        else:
            field.type = _TYPES[type_]
