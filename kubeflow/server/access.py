"""Where a Kubeflow Pipelines server is and how to be let in; the errors of talking to it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

TOKEN_VARIABLE: Final = "KFP_TOKEN"
TOKEN_FILE_VARIABLE: Final = "KFP_TOKEN_FILE"
COOKIE_VARIABLE: Final = "KFP_COOKIE"
CA_VARIABLE: Final = "KFP_CA_CERT"


class ApiError(Exception):
    """A request that failed; the message is one line for the user."""


class RefusedError(ApiError):
    """The server, or this machine, will not have it; trying again changes nothing."""


class NotFoundError(RefusedError):
    """The server does not know what was asked for."""


class ConflictError(RefusedError):
    """The server has something of this name already."""


class UnavailableError(ApiError):
    """No good answer: no connection, no answer in time, 429 or 5xx."""


@dataclass(frozen=True)
class Credentials:
    """What is sent to show who asks; `repr` and error messages keep it to themselves."""

    environment: Mapping[str, str]

    def __repr__(self) -> str:
        return "Credentials(...)"

    def read_headers(self) -> dict[str, str]:
        """Reads the headers anew: a service account's token in a file changes every hour or so.

        Raises:
            RefusedError: The file cannot be read, or a value is no header.
        """
        headers = {}
        if token := self._read_token():
            headers["Authorization"] = f"Bearer {_check_value(TOKEN_VARIABLE, token)}"
        if cookie := self.environment.get(COOKIE_VARIABLE, "").strip():
            headers["Cookie"] = _check_value(COOKIE_VARIABLE, cookie)
        return headers

    def _read_token(self) -> str:
        if token := self.environment.get(TOKEN_VARIABLE, "").strip():
            return token
        path = self.environment.get(TOKEN_FILE_VARIABLE, "")
        if not path:
            return ""
        try:
            return Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it holds more than ASCII"
            raise RefusedError(
                f"{TOKEN_FILE_VARIABLE}: cannot read {path!r} ({reason}); name a file with a token"
            ) from error


def _check_value(name: str, value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise RefusedError(f"{name}: holds characters that no HTTP header can; set it anew")
    return value


@dataclass(frozen=True)
class Access:
    """Where the server is, and how to be let in.

    Attributes:
        host: Address of the API, without a slash at its end.
        ca: File of the certificates to trust, in PEM; empty: those that this machine trusts.
    """

    host: str
    credentials: Credentials
    ca: str = ""


def read_access(host: str, ca: str, environment: Mapping[str, str]) -> Access:
    """Checks the address and collects what else a connection needs.

    Args:
        host: Address of the server, https where it has no scheme. That of a page of the user
            interface does as well.
        ca: Value of `--ca`, or an empty string.

    Raises:
        RefusedError: The address cannot be one.
    """
    try:
        parts = urlsplit(host if "://" in host else f"https://{host}")
        _ = parts.port  # Raises where it is none.
    except ValueError as error:
        raise RefusedError(
            f"--host: {host!r} is no address ({error}); write it as https://kubeflow.example.com"
        ) from error
    if parts.username or parts.password:
        raise RefusedError(
            f"--host: holds a user or a password; leave them out and set {TOKEN_VARIABLE}"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedError(
            f"--host: {host!r} is no address of a server; "
            "write it as https://kubeflow.example.com/pipeline"
        )
    path = parts.path.split("/apis/")[0].rstrip("/")
    base = f"{parts.scheme}://{parts.netloc}{path}"
    return Access(base, Credentials(environment), ca or environment.get(CA_VARIABLE, ""))


def check_certificates(ca: str) -> None:
    """Raises RefusedError where a file holds no certificates to trust."""
    try:
        ssl.create_default_context(cafile=ca)
    except OSError as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise RefusedError(
            f"--ca: cannot read {ca!r} ({reason}); give a file of certificates in PEM"
        ) from error
