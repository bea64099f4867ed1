"""Errors of the model server.

ModelServerError
├── StartError            a port is taken, or the server was started twice
├── StartInterrupted      the server was told to stop while it started
├── NotAvailableError     no version turned AVAILABLE in time
└── StatusError           a request's answer that is not OK: a canonical code and a message
    ├── InvalidArgument
    ├── NotFound
    ├── FailedPrecondition
    └── Unimplemented
"""

import re
from enum import IntEnum
from http import HTTPStatus
from typing import Final

from darkroom.serving.model_server.failures import report_failure


class Code(IntEnum):
    """Canonical status codes; the numbers are those of gRPC and of TensorFlow."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @property
    def http_status(self) -> int:
        """The HTTP status that TensorFlow Serving answers with."""
        return _HTTP_STATUS.get(self, HTTPStatus.INTERNAL_SERVER_ERROR)


_HTTP_STATUS: Final[dict[Code, int]] = {
    Code.OK: HTTPStatus.OK,
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    Code.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    Code.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    Code.ABORTED: HTTPStatus.CONFLICT,
    Code.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    Code.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
}


class ModelServerError(Exception):
    """Base of all errors that the model server raises on purpose."""


class StartError(ModelServerError):
    """The server cannot start; the message is one line for the user."""


class StartInterrupted(ModelServerError):
    """The server was told to stop while it started."""


class NotAvailableError(ModelServerError):
    """No version of the model turned AVAILABLE in time."""


class StatusError(ModelServerError):
    """An answer that is not OK.

    Args:
        code: Canonical code, which gives the gRPC code and the HTTP status.
        message: Text for the client, where possible TensorFlow Serving's own.
        is_logged: Whether the log tells of it already, if it is one for the log.
    """

    def __init__(self, code: Code, message: str, is_logged: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.is_logged = is_logged


class InvalidArgument(StatusError):
    """The request contradicts the API or the signature."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, message)


class NotFound(StatusError):
    """No such model or version."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.NOT_FOUND, message)


class FailedPrecondition(StatusError):
    """The model cannot do what is asked."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.FAILED_PRECONDITION, message)


class Unimplemented(StatusError):
    """TensorFlow Serving can do this, this server cannot."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.UNIMPLEMENTED, message)


def to_status_error(error: Exception, what: str = "a request") -> StatusError:
    """Returns what a client is told about any error, and logs one that is no client's fault.

    TensorFlow's errors keep their code, and a `StatusError` comes back as it is. `what` has failed.
    """
    status = error if isinstance(error, StatusError) else _create_status(error)
    if status.code in (Code.INTERNAL, Code.UNKNOWN) and not status.is_logged:
        report_failure(f"{what} failed: {status.code.name}", error)
        status.is_logged = True
    return status


def _create_status(error: Exception) -> StatusError:
    code, message = find_code(error), getattr(error, "message", None)
    if code == getattr(error, "error_code", None) and isinstance(message, str):
        return StatusError(code, _SUFFIX.sub("", _PREFIX.sub("", message)))
    return StatusError(code, f"{type(error).__name__}: {error}")


def find_code(error: Exception) -> Code:
    """Returns the code of any error; INTERNAL for one that says none."""
    if isinstance(error, StatusError):
        return error.code
    # By its attributes, so that this module does not import TensorFlow.
    code = getattr(error, "error_code", None)
    return Code(code) if code in list(Code) else Code.INTERNAL


# Python adds these around the message of the op, which is all that TensorFlow Serving sends.
_PREFIX = re.compile(
    r"\AGraph execution error:\n\n(?:Detected at node .*\n(?:.*\n)*?<stack traces unavailable>\n)*"
)
_SUFFIX = re.compile(r" \[Op:[^\]\s]*\]\Z")
