"""Errors of the client; each message is one or a few lines for the user.

ClientError
├── UnavailableError   no connection, or the server says UNAVAILABLE, after all retries
├── DeadlineError      no answer in time
├── RequestError       the server refuses the request: its code and its words
└── AnswerError        the answer is not what this client understands
"""


class ClientError(Exception):
    """Base of all errors of the client."""


class UnavailableError(ClientError):
    """The server cannot be reached, or cannot answer now."""


class DeadlineError(ClientError):
    """The answer did not come in time."""


class RequestError(ClientError):
    """The server refuses the request.

    Args:
        code: Name of the gRPC status, or the number of the HTTP status.
        message: The server's words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


class AnswerError(ClientError):
    """The answer lacks an output, or has one of an unexpected form."""
