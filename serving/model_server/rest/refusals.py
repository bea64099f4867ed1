"""Answers that are errors."""

import json
from http import HTTPStatus
from typing import Final

from darkroom.serving.model_server.errors import Code, to_status_error
from darkroom.serving.model_server.rest.messages import RestResponse

_CODES: Final = {
    HTTPStatus.BAD_REQUEST: Code.INVALID_ARGUMENT,
    HTTPStatus.REQUEST_TIMEOUT: Code.DEADLINE_EXCEEDED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Code.INVALID_ARGUMENT,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
}


def respond_error(error: Exception) -> RestResponse:
    """Returns the answer that reports an error of the API."""
    status = to_status_error(error)
    return RestResponse(status.code.http_status, _write(status.message), code=status.code)


def refuse(status: HTTPStatus, message: str) -> RestResponse:
    """Returns the answer that refuses a request for what it is as HTTP."""
    return RestResponse(status.value, _write(message), code=_CODES[status])


def refuse_body(max_bytes: int) -> RestResponse:
    """Returns the answer to a body that is too large."""
    message = f"Request body is larger than max_request_bytes={max_bytes}"
    return refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)


def _write(message: str) -> bytes:
    # The message may repeat a string of the request that has no UTF-8 form.
    return json.dumps({"error": message}, indent=4, ensure_ascii=False).encode("utf-8", "replace")
