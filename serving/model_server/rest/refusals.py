"""Answers to what never gets to the API."""

from http import HTTPStatus
from typing import Final

from darkroom.serving.model_server.errors import Code
from darkroom.serving.model_server.rest.json_response import write_error
from darkroom.serving.model_server.rest.messages import RestResponse

_CODES: Final = {
    HTTPStatus.BAD_REQUEST: Code.INVALID_ARGUMENT,
    HTTPStatus.REQUEST_TIMEOUT: Code.DEADLINE_EXCEEDED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Code.INVALID_ARGUMENT,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
}


def refuse(status: HTTPStatus, message: str) -> RestResponse:
    """Returns the answer that refuses a request for what it is as HTTP."""
    return RestResponse(status.value, write_error(message), code=_CODES[status])


def refuse_body(max_bytes: int) -> RestResponse:
    """Returns the answer to a body that is too large."""
    message = f"Request body is larger than max_request_bytes={max_bytes}"
    return refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
