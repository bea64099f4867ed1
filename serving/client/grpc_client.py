"""Asks a model server over gRPC."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc
import numpy as np

from serving import protos
from serving.client.arrays import to_array
from serving.client.base import ModelClient
from serving.client.errors import AnswerError, DeadlineError, RequestError, UnavailableError
from serving.client.prediction import OUTPUTS
from serving.client.retry import RetryPolicy, call_with_retries
from serving.client.target import ModelVersionStatus, Target
from serving.protos import tensors

_OPTIONS: Final = (
    # Images in a batch exceed the default of 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    # So that a retry finds a server that has just come up.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_METHODS: Final = {
    protos.PREDICT: ("PredictRequest", "PredictResponse"),
    protos.GET_MODEL_METADATA: ("GetModelMetadataRequest", "GetModelMetadataResponse"),
    protos.GET_MODEL_STATUS: ("GetModelStatusRequest", "GetModelStatusResponse"),
}
_SIGNATURE_DEF: Final = "signature_def"


class GrpcClient(ModelClient):
    """Asks one model over gRPC; safe to use from many threads.

    Args:
        address: Where the server is, for example `127.0.0.1:8500`.
        target: The model, or just its name.
        timeout_seconds: Seconds for one call, its retries included.
        retry: How to try again while the server is unavailable.
    """

    def __init__(
        self,
        address: str,
        target: Target | str,
        timeout_seconds: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.target = Target(target) if isinstance(target, str) else target
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._retry = retry or RetryPolicy()
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._methods = {path: self._create_method(path) for path in _METHODS}

    def _create_method(self, path: str) -> Any:
        request, response = (_message_class(name) for name in _METHODS[path])
        return self._channel.unary_unary(
            path,
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _classify(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return self.predict_raw(inputs, output_filter=OUTPUTS)

    def predict_raw(
        self,
        inputs: Mapping[str, Any],
        signature_name: str = "",
        output_filter: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """Calls any signature.

        Args:
            inputs: Input name to array, list or bytes. Arrays must have the input's type; lists
                of floats are float64, of integers int64.
            signature_name: Name of the signature; empty means `serving_default`.
            output_filter: Names of the outputs wanted; empty means all.

        Returns:
            Output name to array; strings as object arrays of bytes.

        Raises:
            ClientError: The server gives no usable answer.
            TensorError: An input is of a type that no tensor has.
        """
        request = self._create_request("PredictRequest")
        request.model_spec.signature_name = signature_name
        request.output_filter.extend(output_filter)
        for name, value in inputs.items():
            tensors.fill_tensor(request.inputs[name], to_array(value), as_content=True)
        response = self._call(protos.PREDICT, request)
        try:
            return {name: tensors.to_array(proto) for name, proto in response.outputs.items()}
        except tensors.TensorError as error:
            raise AnswerError(f"an output cannot be read: {error}") from None

    def get_status(self) -> list[ModelVersionStatus]:
        """Returns the states of the model's versions.

        Raises:
            ClientError: The server gives no usable answer.
        """
        response = self._call(
            protos.GET_MODEL_STATUS, self._create_request("GetModelStatusRequest")
        )
        return [
            ModelVersionStatus(
                version=entry.version,
                state=_name_enum(entry, "state"),
                error_code=_name_enum(entry.status, "error_code"),
                error_message=entry.status.error_message,
            )
            for entry in response.model_version_status
        ]

    def get_metadata(self) -> dict[str, Any]:
        """Returns the signatures: signature name to `SignatureDef` message.

        Raises:
            ClientError: The server gives no usable answer.
        """
        request = self._create_request("GetModelMetadataRequest")
        request.metadata_field.append(_SIGNATURE_DEF)
        response = self._call(protos.GET_MODEL_METADATA, request)
        signatures = _message_class("SignatureDefMap")()
        if not response.metadata[_SIGNATURE_DEF].Unpack(signatures):
            raise AnswerError(f"the answer has no {_SIGNATURE_DEF}")
        return dict(signatures.signature_def)

    def _create_request(self, name: str) -> Any:
        request = _message_class(name)()
        request.model_spec.name = self.target.model
        if self.target.version is not None:
            request.model_spec.version.value = self.target.version
        if self.target.label is not None:
            request.model_spec.version_label = self.target.label
        return request

    def _call(self, path: str, request: Any) -> Any:
        return call_with_retries(
            lambda seconds: self._call_once(path, request, seconds),
            self._timeout_seconds,
            self._retry,
        )

    def _call_once(self, path: str, request: Any, seconds: float) -> Any:
        try:
            return self._methods[path](request, timeout=seconds)
        except grpc.RpcError as error:
            code, message = error.code(), error.details() or "no message"
        if code is grpc.StatusCode.UNAVAILABLE:
            raise UnavailableError(f"{self._address}: {message}")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise DeadlineError(f"{self._address}: no answer within {seconds:.3g} s")
        raise RequestError(code.name, message)


def _message_class(name: str) -> Any:
    return protos.message_class(f"tensorflow.serving.{name}")


def _name_enum(message: Any, field: str) -> str:
    number = getattr(message, field)
    value = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number.get(number)
    return value.name if value is not None else str(number)
