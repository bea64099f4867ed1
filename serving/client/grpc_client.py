"""Asks a model server over gRPC."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc
import numpy as np

from darkroom.serving import protos
from darkroom.serving.client.addresses import check_grpc_address
from darkroom.serving.client.arrays import to_array
from darkroom.serving.client.base import ModelClient
from darkroom.serving.client.errors import (
    AnswerError,
    ClientError,
    ClosedError,
    DeadlineError,
    RequestError,
    TlsError,
    UnavailableError,
)
from darkroom.serving.client.examples import ClassScore, Example, fill_input
from darkroom.serving.client.headers import check_headers
from darkroom.serving.client.prediction import OUTPUTS
from darkroom.serving.client.retry import RetryPolicy
from darkroom.serving.client.signatures import Signature, TensorSpec, read_shape
from darkroom.serving.client.target import ModelVersionStatus, Target
from darkroom.serving.client.tls import TlsConfig
from darkroom.serving.protos import tensors

_OPTIONS: Final = (
    # Images in a batch exceed the default of 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    # So that a retry finds a server that has just come up.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Else two clients share one connection, and closing one does not close its own.
    ("grpc.use_local_subchannel_pool", 1),
)
_EXAMPLE_PATHS: Final = {
    "classify": "/tensorflow.serving.PredictionService/Classify",
    "regress": "/tensorflow.serving.PredictionService/Regress",
}
_METHODS: Final = {
    protos.PREDICT: ("PredictRequest", "PredictResponse"),
    _EXAMPLE_PATHS["classify"]: ("ClassificationRequest", "ClassificationResponse"),
    _EXAMPLE_PATHS["regress"]: ("RegressionRequest", "RegressionResponse"),
    protos.GET_MODEL_METADATA: ("GetModelMetadataRequest", "GetModelMetadataResponse"),
    protos.GET_MODEL_STATUS: ("GetModelStatusRequest", "GetModelStatusResponse"),
}
_SIGNATURE_DEF: Final = "signature_def"
_TLS_WORDS: Final = ("ssl", "tls", "certificate", "handshake", "hostname verification")
_PUSHBACK: Final = "grpc-retry-pushback-ms"
"""Trailer in which a gRPC server says after how long to try again."""


class GrpcClient(ModelClient):
    """Asks one model over gRPC; safe to use from many threads, which share one connection.

    Arguments that are not named here are those of `ModelClient`.

    Args:
        address: Where the server is, for example `127.0.0.1:8500` or `unix:/run/serving.sock`.
        tls: Certificates; None connects without TLS, `TlsConfig()` trusts gRPC's own authorities.
        headers: Metadata to add to each request, as `authorization`.
        compress: Whether to send messages gzipped, for a slow network and numbers; images are
            compressed already.

    Raises:
        ValueError: An address or header that is none.
    """

    def __init__(
        self,
        address: str,
        target: Target | str,
        timeout_seconds: float = 30.0,
        retry: RetryPolicy | None = None,
        *,
        tls: TlsConfig | None = None,
        headers: Mapping[str, str] | None = None,
        compress: bool = False,
    ) -> None:
        super().__init__(check_grpc_address(address), target, timeout_seconds, retry)
        self._metadata = tuple(check_headers(headers).items())
        self._is_secure = tls is not None
        self._channel = _create_channel(address, tls, compress)
        self._methods = {path: self._create_method(path) for path in _METHODS}

    def _create_method(self, path: str) -> Any:
        request, response = (
            protos.message_class(f"tensorflow.serving.{name}") for name in _METHODS[path]
        )
        return self._channel.unary_unary(
            path,
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )

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
            TensorError: An input is of a type that no tensor has.
        """
        request = self._create_request(protos.PREDICT, signature_name)
        request.output_filter.extend(output_filter)
        for name, value in inputs.items():
            tensors.fill_tensor(request.inputs[name], to_array(value), as_content=True)
        response = self._call(protos.PREDICT, request)
        try:
            return {name: tensors.to_array(proto) for name, proto in response.outputs.items()}
        except tensors.TensorError as error:
            raise AnswerError(f"{self.address}: an output cannot be read: {error}") from None

    def get_status(self) -> list[ModelVersionStatus]:
        """See the base class."""
        request = self._create_request(protos.GET_MODEL_STATUS)
        return [
            ModelVersionStatus(
                version=entry.version,
                state=_name_enum(entry, "state"),
                error_code=_name_enum(entry.status, "error_code"),
                error_message=entry.status.error_message,
            )
            for entry in self._call(protos.GET_MODEL_STATUS, request).model_version_status
        ]

    def get_signatures(self) -> dict[str, Signature]:
        """See the base class."""
        return {
            name: Signature(
                method_name=signature.method_name,
                inputs=_read_specs(signature.inputs),
                outputs=_read_specs(signature.outputs),
            )
            for name, signature in sorted(self.get_metadata().items())
        }

    def get_metadata(self) -> dict[str, Any]:
        """Returns the signatures: signature name to `SignatureDef` message."""
        request = self._create_request(protos.GET_MODEL_METADATA)
        request.metadata_field.append(_SIGNATURE_DEF)
        response = self._call(protos.GET_MODEL_METADATA, request)
        signatures = protos.create_message("SignatureDefMap")
        if not response.metadata[_SIGNATURE_DEF].Unpack(signatures):
            raise AnswerError(f"{self.address}: the answer has no {_SIGNATURE_DEF}")
        return dict(signatures.signature_def)

    def _classify_images(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return self.predict_raw(inputs, output_filter=OUTPUTS)

    def _ask_examples(
        self, verb: str, examples: Sequence[Example], signature_name: str, context: Example | None
    ) -> Any:
        path = _EXAMPLE_PATHS[verb]
        request = self._create_request(path, signature_name)
        fill_input(request.input, examples, context)
        return self._call(path, request).result

    def _read_classes(self, results: Any) -> list[list[ClassScore]]:
        return [
            [ClassScore(entry.label, entry.score) for entry in classes.classes]
            for classes in results.classifications
        ]

    def _read_numbers(self, results: Any) -> list[float]:
        return [entry.value for entry in results.regressions]

    def _disconnect(self) -> None:
        self._channel.close()

    def _create_request(self, path: str, signature_name: str = "") -> Any:
        request = protos.create_message(_METHODS[path][0])
        request.model_spec.name = self.target.model
        request.model_spec.signature_name = signature_name
        if self.target.version is not None:
            request.model_spec.version.value = self.target.version
        if self.target.label is not None:
            request.model_spec.version_label = self.target.label
        return request

    def _call(self, path: str, request: Any) -> Any:
        return self._call_with_retries(lambda seconds: self._call_once(path, request, seconds))

    def _call_once(self, path: str, request: Any, seconds: float) -> Any:
        try:
            return self._methods[path](request, timeout=seconds, metadata=self._metadata)
        except (grpc.RpcError, ValueError) as error:
            if self._closing.is_set():
                raise ClosedError(f"{self.address}: the client is closed") from None
            if isinstance(error, ValueError):
                raise
            failure = self._to_error(error, seconds)
        raise failure

    def _to_error(self, error: Any, seconds: float) -> ClientError:
        code, message = error.code(), error.details() or "no message"
        retry_after = _read_pushback(error)
        is_paced = code is grpc.StatusCode.RESOURCE_EXHAUSTED and retry_after is not None
        if code is grpc.StatusCode.UNAVAILABLE and self._is_secure and _is_about_tls(message):
            return TlsError(f"{self.address}: no secure connection: {message}")
        if code is grpc.StatusCode.UNAVAILABLE or is_paced:
            return UnavailableError(f"{self.address}: {message} ({code.name})", retry_after)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineError(f"{self.address}: no answer within {seconds:.3g} s")
        return RequestError(self.address, code.name, message)


def _create_channel(address: str, tls: TlsConfig | None, compress: bool) -> Any:
    compression = grpc.Compression.Gzip if compress else None
    if tls is None:
        return grpc.insecure_channel(address, _OPTIONS, compression)
    name = tls.server_name
    override = () if name is None else (("grpc.ssl_target_name_override", name),)
    credentials = tls.create_channel_credentials()
    return grpc.secure_channel(address, credentials, (*_OPTIONS, *override), compression)


def _read_pushback(error: Any) -> float | None:
    for key, value in error.trailing_metadata() or ():
        if key == _PUSHBACK and value.isascii() and value.isdigit():
            return int(value) / 1000
    return None


def _is_about_tls(message: str) -> bool:
    return any(word in message.lower() for word in _TLS_WORDS)


def _read_specs(infos: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {name: _read_spec(info) for name, info in sorted(infos.items())}


def _read_spec(info: Any) -> TensorSpec:
    sizes = [dimension.size for dimension in info.tensor_shape.dim]
    type_name = _name_enum(info, "dtype").removeprefix("DT_").lower()
    return TensorSpec(type_name, read_shape(sizes, info.tensor_shape.unknown_rank))


def _name_enum(message: Any, field: str) -> str:
    number = getattr(message, field)
    value = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number.get(number)
    return value.name if value is not None else str(number)
