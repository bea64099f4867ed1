"""What the user of the command line can do about an error."""

from typing import Final

from darkroom.serving.client.errors import DeadlineError, RequestError, TlsError, UnavailableError

_BY_CODE: Final = {
    "NOT_FOUND": "check --model and --version; the command `status` shows what is served",
    "HTTP 404": "check --model and --version; the command `status` shows what is served",
    "RESOURCE_EXHAUSTED": "try a smaller --batch-size",
    "HTTP 413": "try a smaller --batch-size",
    "HTTP 429": "try a smaller --batch-size",
    "UNAUTHENTICATED": "--headers names a file with credentials",
    "HTTP 401": "--headers names a file with credentials",
    "PERMISSION_DENIED": "--headers names a file with credentials",
    "HTTP 403": "--headers names a file with credentials",
}
_BY_TYPE: Final = (
    (UnavailableError, "is a model server running there? --wait waits longer for one"),
    (DeadlineError, "--timeout gives it longer"),
    (TlsError, "--ca names the authority to trust, --server-name the name in the certificate"),
)


def describe(error: Exception) -> str:
    """Returns an error and its remedy, if there is one, in one line."""
    message = " ".join(str(error).split())
    remedy = _BY_CODE.get(error.code) if isinstance(error, RequestError) else None
    for kind, text in _BY_TYPE:
        if isinstance(error, kind):
            remedy = text
    return f"{message}; {remedy}" if remedy else message
