"""The REST API without a web framework: method, path and body in, status and body out.

Paths, texts and codes are those of TensorFlow Serving's HTTP handler.
"""

import json
import logging
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from serving.model_server.core import ModelSpec, ServerCore
from serving.model_server.errors import (
    InvalidArgument,
    StatusError,
    Unimplemented,
    to_status_error,
)
from serving.model_server.event_loop import call_by_size
from serving.model_server.inference.predict import predict
from serving.model_server.inference.signature_checks import DEFAULT_SIGNATURE, read_input_types
from serving.model_server.models.statuses import VersionStatus
from serving.model_server.rest import json_response
from serving.model_server.rest.json_request import read_inputs, read_signature_name
from serving.model_server.rest.json_text import parse_object
from serving.model_server.rest.metadata import write_metadata

logger = logging.getLogger(__name__)

_API: Final = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
_VERSION: Final = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_POST: Final = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<verb>classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_GET: Final = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?P<metadata>/metadata)?",
    re.IGNORECASE | re.ASCII,
)
_MAX_VERSION: Final = 2**63 - 1
_MAX_DIGITS: Final = len(str(_MAX_VERSION))
_NOT_FOUND_PAGE: Final = (
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>"
)
TIMED_OUT: Final = "Timed out waiting for notification"
"""What TensorFlow says of a request that ran into its time limit."""


@dataclass(frozen=True)
class RestResponse:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
        body: JSON, unless the path is none of the API's.
        content_type: Value of that header.
    """

    status: int
    body: bytes
    content_type: str = "application/json"


class RestHandler:
    """Answers REST requests, any number at a time.

    Args:
        core: The models.
    """

    def __init__(self, core: ServerCore) -> None:
        self._core = core

    async def handle(self, method: str, path: str, body: bytes) -> RestResponse:
        """Answers one request; never raises.

        Args:
            method: HTTP method.
            path: Path of the URL, percent-encoded as sent, without the query.
            body: Body of the request.
        """
        if not _API.fullmatch(path):
            return RestResponse(HTTPStatus.NOT_FOUND, _NOT_FOUND_PAGE, "text/html")
        try:
            return RestResponse(HTTPStatus.OK, await self._answer(method, path, body))
        except Exception as error:
            return respond_error(error)

    async def _answer(self, method: str, path: str, body: bytes) -> bytes:
        pattern = {"POST": _POST, "GET": _GET}.get(method)
        match = pattern.fullmatch(path) if pattern is not None else None
        if match is None:
            raise InvalidArgument(f"Malformed request: {method} {path}")
        spec = _read_spec(match)
        if method == "POST":
            return await self._predict(spec, match["verb"].lower(), body)
        if not spec.name:
            raise InvalidArgument("Missing model name in request.")
        if match["metadata"]:
            with self._core.lease(spec) as loaded:
                return write_metadata(spec.name, loaded.version, loaded.servable.signature_defs)
        return _write_statuses(self._core.list_statuses(spec))

    async def _predict(self, spec: ModelSpec, verb: str, body: bytes) -> bytes:
        if verb != "predict":
            raise Unimplemented(f"{verb} is not supported by this server")
        document = await call_by_size(len(body), parse_object, body)
        signature_name = read_signature_name(document)
        with self._core.lease(spec) as loaded:
            signature_defs = loaded.servable.signature_defs
            name = signature_name or DEFAULT_SIGNATURE
            if name not in signature_defs:
                raise InvalidArgument(
                    f'Serving signature name: "{name}" not found in signature def'
                )
            types = read_input_types(signature_defs[name])
            if not types:
                raise InvalidArgument(
                    f"Failed to get input map for signature: {signature_name or 'DEFAULT'}"
                )
            inputs = await call_by_size(len(body), read_inputs, document, types)
            outputs = await predict(loaded.servable, name, inputs.tensors)
        size = sum(array.nbytes for array in outputs.values())
        return await call_by_size(size, json_response.write_outputs, outputs, inputs.layout)


def respond_error(error: Exception) -> RestResponse:
    """Returns the answer that reports an error."""
    status = to_status_error(error)
    if not isinstance(error, StatusError):
        logger.debug("REST request failed", exc_info=error)
    return RestResponse(status.code.http_status, json_response.write_error(status.message))


def _read_spec(match: "re.Match[str]") -> ModelSpec:
    version = match["version"]
    # Counted first, because Python refuses to convert very long numbers.
    if version is not None and (len(version) > _MAX_DIGITS or int(version) > _MAX_VERSION):
        raise InvalidArgument(f"Failed to convert version: {version} to numeric.")
    return ModelSpec(
        name=unquote(match["name"] or ""),
        version=None if version is None else int(version),
        label=None if match["label"] is None else unquote(match["label"]),
    )


def _write_statuses(statuses: list[VersionStatus]) -> bytes:
    entries = [
        {
            "version": str(status.version),
            "state": status.state.name,
            "status": {"error_code": status.code.name, "error_message": status.message},
        }
        for status in statuses
    ]
    document = {"model_version_status": entries}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")
