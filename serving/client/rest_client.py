"""Asks a model server over REST."""

import gzip
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from darkroom.serving.client import rest_json
from darkroom.serving.client.addresses import RestAddress, parse_url
from darkroom.serving.client.base import ModelClient
from darkroom.serving.client.errors import (
    AnswerError,
    ClientError,
    DeadlineError,
    RequestError,
    TlsError,
    UnavailableError,
)
from darkroom.serving.client.examples import ClassScore, Example
from darkroom.serving.client.headers import check_headers
from darkroom.serving.client.http_connection import HttpRequest, HttpResponse, NotHttpError
from darkroom.serving.client.http_pool import ConnectionPool
from darkroom.serving.client.retry import RetryPolicy
from darkroom.serving.client.signatures import Signature
from darkroom.serving.client.target import ModelVersionStatus, Target
from darkroom.serving.client.tls import TlsConfig

_OK: Final = 200
_TOO_MANY_REQUESTS: Final = 429
_UNAVAILABLE: Final = (502, 503)
_TIMED_OUT: Final = 504


class RestClient(ModelClient):
    """Asks one model over REST; safe to use from many threads.

    Keeps as many connections as there are requests at one time. Arguments that are not named here
    are those of `ModelClient`.

    Args:
        base_url: Where the server is, for example `http://127.0.0.1:8501`.
        tls: Certificates for an `https` URL; without them, the system's authorities are trusted.
        headers: Headers to add to each request, as `authorization`.
        compress: Whether to send bodies gzipped, and to ask for answers so. For a slow network and
            numbers; images are compressed already.

    Raises:
        ValueError: A URL or header that is none, or certificates for a URL that is not `https`.
    """

    def __init__(
        self,
        base_url: str,
        target: Target | str,
        timeout_seconds: float = 30.0,
        retry: RetryPolicy | None = None,
        *,
        tls: TlsConfig | None = None,
        headers: Mapping[str, str] | None = None,
        compress: bool = False,
    ) -> None:
        address = parse_url(base_url)
        super().__init__(address.url, target, timeout_seconds, retry)
        if tls is not None and not address.is_secure:
            raise ValueError(f"certificates are given, but {base_url} is not https")
        self._compress = compress
        self._pool = _create_pool(address, tls)
        self._model_path = address.path + _create_path(self.target)
        self._headers = {
            "host": address.authority,
            "accept": "application/json",
            "user-agent": "darkroom-client",
            "accept-encoding": "gzip" if compress else "identity",
            **check_headers(headers),
        }

    def predict_raw(
        self, inputs: Mapping[str, Any], signature_name: str = ""
    ) -> dict[str, np.ndarray]:
        """Calls any signature.

        Args:
            inputs: Input name to array, list or bytes.
            signature_name: Name of the signature; empty means `serving_default`.

        Returns:
            Output name to array: float64, int64, bool, or object of str (of bytes, if the name
            ends in `_bytes`), as JSON has no other types.
        """
        answer = self._post("predict", rest_json.write_inputs(inputs, signature_name))
        outputs = rest_json.get(answer, "outputs")
        if not rest_json.is_named(outputs):
            outputs = {self._find_single_output(signature_name): outputs}
        return {name: rest_json.read_array(value) for name, value in outputs.items()}

    def get_status(self) -> list[ModelVersionStatus]:
        """See the base class."""
        answer = self._get("")
        try:
            return [
                ModelVersionStatus(
                    version=int(entry["version"]),
                    state=entry["state"],
                    error_code=entry["status"]["error_code"],
                    error_message=entry["status"]["error_message"],
                )
                for entry in rest_json.get(answer, "model_version_status")
            ]
        except (TypeError, KeyError, ValueError):
            raise AnswerError(f"{self.address}: the answer has no states of versions") from None

    def get_signatures(self) -> dict[str, Signature]:
        """See the base class."""
        documents = self.get_metadata().items()
        return {name: rest_json.read_signature(document) for name, document in documents}

    def get_metadata(self) -> dict[str, Any]:
        """Returns the signatures as JSON: signature name to inputs, outputs and method name."""
        signatures = self._get("/metadata")
        for key in ("metadata", "signature_def", "signature_def"):
            signatures = rest_json.get(signatures, key)
        return signatures

    def _classify_images(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return self.predict_raw(inputs)

    def _disconnect(self) -> None:
        self._pool.close()

    def _find_single_output(self, signature_name: str) -> str:
        signature = rest_json.get(self.get_metadata(), signature_name or "serving_default")
        return next(iter(rest_json.get(signature, "outputs")))

    def _ask_examples(
        self, verb: str, examples: Sequence[Example], signature_name: str, context: Example | None
    ) -> Any:
        body = rest_json.write_examples(examples, signature_name, context)
        return rest_json.get(self._post(verb, body), "results")

    def _read_classes(self, results: Any) -> list[list[ClassScore]]:
        try:
            return [
                [ClassScore(str(label), float(np.float32(score))) for label, score in classes]
                for classes in results
            ]
        except (TypeError, ValueError):
            raise AnswerError(f"{self.address}: the answer has no pairs of label, score") from None

    def _read_numbers(self, results: Any) -> list[float]:
        try:
            return [float(np.float32(value)) for value in results]
        except (TypeError, ValueError):
            raise AnswerError(f"{self.address}: the answer has no numbers") from None

    def _post(self, verb: str, body: bytes) -> Any:
        headers = {**self._headers, "content-type": "application/json"}
        if self._compress:
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body, compresslevel=1)
        return self._request(HttpRequest("POST", f"{self._model_path}:{verb}", headers, body))

    def _get(self, path: str) -> Any:
        return self._request(HttpRequest("GET", self._model_path + path, self._headers))

    def _request(self, request: HttpRequest) -> Any:
        return self._call_with_retries(lambda seconds: self._request_once(request, seconds))

    def _request_once(self, request: HttpRequest, seconds: float) -> Any:
        try:
            response = self._pool.exchange(request, seconds)
        except TimeoutError:
            raise DeadlineError(f"{self.address}: no answer within {seconds:.3g} s") from None
        except NotHttpError as error:
            raise AnswerError(f"{self.address}: {error}") from None
        except OSError as error:
            raise _explain(self.address, error) from None
        if response.status != _OK:
            raise _to_error(self.address, response)
        try:
            return rest_json.parse(response.body)
        except AnswerError as error:
            raise AnswerError(f"{self.address}: {error}") from None


def _create_pool(address: RestAddress, tls: TlsConfig | None) -> ConnectionPool:
    if not address.is_secure:
        return ConnectionPool(address)
    tls = tls or TlsConfig()
    return ConnectionPool(address, tls.create_context(), tls.server_name)


def _create_path(target: Target) -> str:
    path = f"/v1/models/{quote(target.model, safe='')}"
    if target.version is not None:
        return f"{path}/versions/{target.version}"
    if target.label is not None:
        return f"{path}/labels/{quote(target.label, safe='')}"
    return path


def _explain(address: str, error: OSError) -> ClientError:
    """Returns the error for a connection that there is not, or that broke."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsError(f"{address}: its certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return TlsError(f"{address}: no secure connection: {error.reason or error}")
    reason = error.strerror or str(error)
    if isinstance(error, ssl.SSLEOFError):
        reason = "the server hung up; does it ask for a client's certificate?"
    if isinstance(error, socket.gaierror):
        reason = f"no such host ({reason})"
    return UnavailableError(f"{address}: {reason}")


def _to_error(address: str, response: HttpResponse) -> ClientError:
    status, message = response.status, rest_json.read_error(response.body)
    retry_after = _read_retry_after(response.headers.get("retry-after"))
    is_paced = status == _TOO_MANY_REQUESTS and retry_after is not None
    if status in _UNAVAILABLE or is_paced:
        return UnavailableError(f"{address}: {message} (HTTP {status})", retry_after)
    if status == _TIMED_OUT:
        return DeadlineError(f"{address}: {message} (HTTP {status})")
    return RequestError(address, f"HTTP {status}", message)


def _read_retry_after(value: str | None) -> float | None:
    """Returns seconds; the header has a number of them or a date."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
