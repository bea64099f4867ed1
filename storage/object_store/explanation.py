"""What s3fs and gcsfs raise, each in one line that says what to do."""

import os
import traceback
from typing import Final

from darkroom.storage.errors import ObjectChangedError, ObjectStoreError
from darkroom.storage.object_store.connection import named_endpoint
from darkroom.storage.object_store.location import Location

_SECRETS: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")

# Names of classes, those of bases standing for what derives from them: whoever copies from the one
# store does not import the library of the other.
_NO_CREDENTIALS: Final = {
    "CredentialRetrievalError",
    "DefaultCredentialsError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
}
_UNREACHABLE: Final = {"ClientConnectorError", "ConnectionError", "SSLError", "TransportError"}
_CUT: Final = {
    "ClientConnectionError",
    "ClientPayloadError",
    "HTTPClientError",
    "IncompleteRead",
    "ResponseParserError",
    "TimeoutError",
}

# Codes of the stores.
_REFUSED: Final = {
    "401",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
_BUSY: Final = {"408", "429", "500", "502", "503", "504"} | {
    "InternalError",
    "ServiceUnavailable",
    "SlowDown",
}
_CHANGED: Final = {"416", "InvalidRange"}
_REGION: Final = "the bucket is in another region ({code}); set AWS_REGION to its own"
_REMEDIES: Final = {
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "InvalidObjectState": "is archived ({code}); restore it first",
    "PermanentRedirect": _REGION,
    "RequestTimeTooSkewed": "this machine's clock is wrong ({code}); set it",
}


def explain(error: Exception, location: Location) -> ObjectStoreError:
    """The error in one line, without anything secret."""
    if isinstance(error, AttributeError) and isinstance(error.__context__, Exception):
        error = error.__context__  # gcsfs before its change 821 fails to end an upload that failed.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    code = store_code(error)
    if isinstance(error, FileNotFoundError) and (code == "NoSuchBucket" or not location.key):
        return ObjectStoreError(
            f"{location}: there is no bucket {location.bucket!r} at {_endpoint(location)}; "
            "correct its name, or create it"
        )
    if isinstance(error, FileNotFoundError) or code in _CHANGED:
        return ObjectChangedError(f"{location}: there is no such object (any more)")
    return ObjectStoreError(f"{location}: {_describe(error, kinds, code, location)}")


def shown_cause(error: Exception) -> Exception | None:
    """The error itself, for a traceback; None where that would show a secret."""
    text = "".join(traceback.format_exception(error))
    return error if _redact(text) == text else None


def store_code(error: BaseException) -> str:
    """The store's own code for an error, such as NoSuchKey, or an empty string."""
    for candidate in (error, error.__cause__):
        response = getattr(candidate, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        if getattr(candidate, "code", None):
            return str(getattr(candidate, "code", ""))
    if type(error).__name__ == "ProxyError" and not error.args:
        return "502"  # That is how gcsfs says it.
    return ""


def _describe(error: Exception, kinds: set[str], code: str, location: Location) -> str:
    if kinds & _NO_CREDENTIALS or "Anonymous caller" in str(error):
        return f"there are no credentials; {_CREDENTIALS[location.scheme]}"
    if code in _REFUSED:
        return f"the credentials are refused ({code}); {_CREDENTIALS[location.scheme]}"
    if code in _REMEDIES:
        return _REMEDIES[code].format(code=code)
    if "Invalid bucket name" in str(error):
        return f"no bucket can have the name {location.bucket!r}; correct it"
    if isinstance(error, PermissionError) or "Forbidden" in str(error):
        return "access is denied; grant these credentials the right to list, read and write here"
    if code in _BUSY:
        return f"the store answers {code}, again and again; try later, what is copied stays"
    if "ChecksumError" in kinds:
        return "was damaged on the way and is removed; upload it again"
    if kinds & _UNREACHABLE:
        return f"{_endpoint(location)} cannot be reached; check the network and the endpoint"
    if kinds & _CUT:
        return "the connection broke off, again and again; the next attempt goes on from here"
    return f"{type(error).__name__}: {_redact(' '.join(str(error).split()))[:200]}"


_CREDENTIALS: Final = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "minio": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or run in a place that has a service account",
}


def _endpoint(location: Location) -> str:
    owner = "Google" if location.scheme == "gs" else "Amazon"
    return named_endpoint(location.scheme) or f"{owner}'s endpoint"


def _redact(text: str) -> str:
    for name in _SECRETS:
        if secret := os.environ.get(name):
            text = text.replace(secret, "***")
    return text
