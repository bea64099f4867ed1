"""Errors of the client; each message is one or a few lines for the user.

ClientError
├── UnavailableError   no connection, or the server says it cannot answer now, after all retries
├── DeadlineError      no answer in time
├── TlsError           the connection cannot be secured: a certificate that is not trusted
├── RequestError       the server refuses the request: its code and its words
├── AnswerError        the answer is not what this client understands
└── ClosedError        the client was closed before the answer came
"""


class ClientError(Exception):
    """Base of all errors of the client."""


class UnavailableError(ClientError):
    """The server cannot be reached, or cannot answer now; another try may succeed.

    Args:
        retry_after_seconds: When to try again, if the server says so.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeadlineError(ClientError):
    """The answer did not come in time."""


class TlsError(ClientError):
    """Client and server do not trust each other, or one of them speaks no TLS."""


class RequestError(ClientError):
    """The server refuses the request.

    Args:
        code: Name of the gRPC status, or `HTTP` and the number of the HTTP status.
    """

    def __init__(self, address: str, code: str, message: str) -> None:
        super().__init__(f"{address}: {message} ({code})")
        self.code = code
        self.message = message


class AnswerError(ClientError):
    """The answer lacks an output, or has one of an unexpected form."""


class ClosedError(ClientError):
    """The client was closed before the answer came."""
