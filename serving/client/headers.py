"""Headers that the caller adds to each request, as `authorization` or `x-request-id`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")
_OWN: Final = frozenset({"connection", "content-encoding", "content-length", "host", "te",
                         "transfer-encoding"})  # fmt: skip


def check_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Returns the headers with lower-case names, as gRPC wants them.

    Raises:
        ValueError: A name or value that no header can have, or that the client itself sets.
    """
    checked = {}
    for name, value in (headers or {}).items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header")
        if name.lower() in _OWN or name.lower().startswith("grpc-"):
            raise ValueError(f"the client itself sets the header {name!r}")
        # The value is not shown, because it may be a secret.
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name!r} has a value that is not plain ASCII")
        checked[name.lower()] = value.strip()
    return checked


def read_headers(path: Path) -> dict[str, str]:
    """Returns the headers in a file, one `name: value` a line; ValueError for anything else."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file") from None
    headers = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"line {number} of {path} is not `name: value`")
        headers[name.strip()] = value.strip()
    return check_headers(headers)
