"""The REST API without a web framework: method, path and body in, status and body out.

Paths, texts and codes are those of TensorFlow Serving's HTTP handler.
"""

import contextlib
import inspect
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from google.protobuf import json_format

from darkroom.serving.model_server.core import ModelSpec, ServerCore
from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.event_loop import call_by_size
from darkroom.serving.model_server.inference.classify import classify
from darkroom.serving.model_server.inference.predict import predict
from darkroom.serving.model_server.inference.regress import regress
from darkroom.serving.model_server.inference.signature_checks import (
    DEFAULT_SIGNATURE,
    read_input_types,
)
from darkroom.serving.model_server.models.statuses import VersionStatus
from darkroom.serving.model_server.operations.request_record import RequestRecord
from darkroom.serving.model_server.rest import json_response
from darkroom.serving.model_server.rest.json_documents import JsonDocuments
from darkroom.serving.model_server.rest.json_examples import read_request
from darkroom.serving.model_server.rest.json_request import read_inputs, read_signature_name
from darkroom.serving.model_server.rest.json_text import DEFAULT_MAX_DEPTH
from darkroom.serving.model_server.rest.messages import Body, RestResponse
from darkroom.serving.model_server.rest.refusals import respond_error
from darkroom.serving.protos.tensors import TensorType

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


def is_api_path(path: str) -> bool:
    """Returns whether a path, with its query, is one that the API answers, or refuses as JSON."""
    return _API.fullmatch(path) is not None


_EXAMPLE_APIS: Final = {
    "classify": (classify, json_response.write_classifications),
    "regress": (regress, json_response.write_regressions),
}


class RestHandler:
    """Answers REST requests, any number at a time."""

    def __init__(self, core: ServerCore, max_json_depth: int = DEFAULT_MAX_DEPTH) -> None:
        self._core = core
        self._documents = JsonDocuments(max_json_depth)

    async def handle(
        self, method: str, path: str, body: Body, record: RequestRecord | None = None
    ) -> RestResponse:
        """Answers one request; never raises.

        The path is one of the API's, percent-encoded as sent, with its query. The record is told
        which model and version were asked for.
        """
        record = record or RequestRecord("REST")
        try:
            return RestResponse(HTTPStatus.OK, await self._answer(method, path, body, record))
        except Exception as error:
            return respond_error(error)

    async def _answer(self, method: str, path: str, body: Body, record: RequestRecord) -> bytes:
        record.api = ""
        pattern = {"POST": _POST, "GET": _GET}.get(method)
        match = pattern.fullmatch(path) if pattern is not None else None
        if match is None:
            raise InvalidArgument(f"Malformed request: {method} {path}")
        spec = _read_spec(match)
        record.model_name = spec.name
        if method == "POST":
            record.api = match["verb"].capitalize()
            return await self._infer(spec, match["verb"].lower(), body, record)
        record.api = "GetModelMetadata" if match["metadata"] else "GetModelStatus"
        if not spec.name:
            raise InvalidArgument("Missing model name in request.")
        if match["metadata"]:
            with self._core.lease(spec) as loaded:
                record.version = loaded.version
                return _write_metadata(spec, loaded.version, loaded.servable.signature_defs)
        return _write_statuses(self._core.list_statuses(spec))

    async def _infer(self, spec: ModelSpec, verb: str, body: Body, record: RequestRecord) -> bytes:
        if verb == "predict":
            return await self._predict(spec, body, record)
        infer, write = _EXAMPLE_APIS[verb]
        async with self._documents.open(body) as read:
            request = await read(read_request, infer.kind, spec.name)
        with self._core.lease(spec) as loaded:
            record.version = loaded.version
            record.signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            response = await infer(loaded, request, self._core.check_method_names)
        answer = await call_by_size(response.ByteSize(), write, response.result)
        size = len(body) + len(answer)
        self._core.request_log.log_messages(spec.name, request, response, size)
        return answer

    async def _predict(self, spec: ModelSpec, body: Body, record: RequestRecord) -> bytes:
        with contextlib.ExitStack() as leases:
            async with self._documents.open(body) as read:
                signature_name = await read(read_signature_name)
                loaded = leases.enter_context(self._core.lease(spec))
                name = signature_name or DEFAULT_SIGNATURE
                record.version, record.signature_name = loaded.version, name
                types = _find_input_types(loaded.servable.signature_defs, signature_name)
                inputs = await read(read_inputs, types)
            outputs = await predict(
                loaded.servable,
                name,
                inputs.tensors,
                check_method_name=self._core.check_method_names,
            )
        answer_size = sum(array.nbytes for array in outputs.values())
        answer = await call_by_size(
            answer_size, json_response.write_outputs, outputs, inputs.layout
        )
        self._core.request_log.log_predict(
            spec.name, loaded.version, name, inputs.tensors, outputs, len(body) + len(answer)
        )
        return answer

    def close(self) -> None:
        """Ends the processes that read large bodies."""
        self._documents.close()


def _find_input_types(signature_defs: Mapping[str, Any], name: str) -> dict[str, TensorType]:
    key = name or DEFAULT_SIGNATURE
    if key not in signature_defs:
        raise InvalidArgument(f'Serving signature name: "{key}" not found in signature def')
    types = read_input_types(signature_defs[key])
    if not types:
        raise InvalidArgument(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    return types


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
    return _write_document({"model_version_status": entries})


# protobuf 6 has another name for "also fields that have their default value".
_WITH_DEFAULTS = (
    "including_default_value_fields"
    if "including_default_value_fields" in inspect.signature(json_format.MessageToDict).parameters
    else "always_print_fields_with_no_presence"
)


def _write_metadata(spec: ModelSpec, version: int, signature_defs: Mapping[str, Any]) -> bytes:
    options: dict[str, Any] = {_WITH_DEFAULTS: True, "preserving_proto_field_name": True}
    signatures = {
        name: json_format.MessageToDict(signature, **options)
        for name, signature in sorted(signature_defs.items())
    }
    return _write_document(
        {
            "model_spec": {"name": spec.name, "signature_name": "", "version": str(version)},
            "metadata": {"signature_def": {"signature_def": signatures}},
        }
    )


def _write_document(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")
