"""Asks a model server over REST."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from serving.client.arrays import to_array
from serving.client.base import ModelClient
from serving.client.errors import AnswerError, DeadlineError, RequestError, UnavailableError
from serving.client.retry import RetryPolicy, call_with_retries
from serving.client.target import ModelVersionStatus, Target


class RestClient(ModelClient):
    """Asks one model over REST; safe to use from many threads.

    Args:
        base_url: Where the server is, for example `http://127.0.0.1:8501`.
        target: The model, or just its name.
        timeout_seconds: Seconds for one call, its retries included.
        retry: How to try again while the server is unavailable.
    """

    def __init__(
        self,
        base_url: str,
        target: Target | str,
        timeout_seconds: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        # Not at the top of this file: it is a third of a second that gRPC callers need not wait.
        import httpx

        self.target = Target(target) if isinstance(target, str) else target
        self._httpx = httpx
        self._url = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._retry = retry or RetryPolicy()
        self._client = httpx.Client(trust_env=False)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _classify(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return self.predict_raw(inputs)

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

        Raises:
            ClientError: The server gives no usable answer.
        """
        request: dict[str, Any] = {
            "inputs": {name: _to_json(to_array(value).tolist()) for name, value in inputs.items()}
        }
        if signature_name:
            request["signature_name"] = signature_name
        answer = self._request("POST", self._path() + ":predict", json.dumps(request))
        outputs = _get(answer, "outputs")
        if not isinstance(outputs, dict) or _is_base64(outputs):
            # A single output comes without its name.
            outputs = {self._find_single_output(signature_name): outputs}
        return {name: to_array(_decode(value)) for name, value in outputs.items()}

    def get_status(self) -> list[ModelVersionStatus]:
        """Returns the states of the model's versions.

        Raises:
            ClientError: The server gives no usable answer.
        """
        answer = self._request("GET", self._path())
        return [
            ModelVersionStatus(
                version=int(entry["version"]),
                state=entry["state"],
                error_code=entry["status"]["error_code"],
                error_message=entry["status"]["error_message"],
            )
            for entry in _get(answer, "model_version_status")
        ]

    def get_metadata(self) -> dict[str, Any]:
        """Returns the signatures as JSON: signature name to inputs, outputs and method name.

        Raises:
            ClientError: The server gives no usable answer.
        """
        answer = self._request("GET", self._path() + "/metadata")
        return _get(_get(_get(answer, "metadata"), "signature_def"), "signature_def")

    def _find_single_output(self, signature_name: str) -> str:
        signature = _get(self.get_metadata(), signature_name or "serving_default")
        return next(iter(_get(signature, "outputs")))

    def _path(self) -> str:
        path = f"/v1/models/{quote(self.target.model, safe='')}"
        if self.target.version is not None:
            return f"{path}/versions/{self.target.version}"
        if self.target.label is not None:
            return f"{path}/labels/{quote(self.target.label, safe='')}"
        return path

    def _request(self, method: str, path: str, content: str | None = None) -> Any:
        return call_with_retries(
            lambda seconds: self._request_once(method, path, content, seconds),
            self._timeout_seconds,
            self._retry,
        )

    def _request_once(self, method: str, path: str, content: str | None, seconds: float) -> Any:
        httpx = self._httpx
        try:
            response = self._client.request(
                method, self._url + path, content=content, timeout=seconds
            )
        except httpx.TimeoutException:
            raise DeadlineError(f"{self._url}: no answer within {seconds:.3g} s") from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise UnavailableError(f"{self._url}: {error}") from None
        if response.status_code == httpx.codes.OK:
            return _parse(response.content)
        raise _to_error(response.status_code, response.content)


def _to_error(status: int, body: bytes) -> Exception:
    try:
        message = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        # Something else than a model server; its page becomes one line.
        message = " ".join(body.decode("utf-8", "replace").split())[:200] or "no message"
    if status == 503:
        return UnavailableError(message)
    if status == 504:
        return DeadlineError(message)
    return RequestError(f"HTTP {status}", message)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise AnswerError(f"the answer is not JSON: {error}") from None


def _get(answer: Any, key: str) -> Any:
    if not isinstance(answer, dict) or key not in answer:
        raise AnswerError(f"the answer has no {key!r}; is this a TensorFlow Serving?")
    return answer[key]


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return base64.b64decode(value["b64"]) if _is_base64(value) else value
