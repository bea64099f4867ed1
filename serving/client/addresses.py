"""Where a server is: URLs for REST, addresses for gRPC."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class RestAddress:
    """The parts of a base URL.

    Attributes:
        url: The URL without a slash at its end.
        host: Name or IP address, IPv6 without brackets.
        path: Path before `/v1`; empty for most servers.
        is_secure: Whether the connection is TLS.
    """

    url: str
    host: str
    port: int
    path: str
    is_secure: bool

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_url(url: str) -> RestAddress:
    """Returns the parts of a URL as `http://127.0.0.1:8501`; ValueError for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no URL: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of a server; give one as http://127.0.0.1:8501")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"the URL of {parts.hostname} has more than scheme, host, port and path")
    if not url.isascii() or any(character <= " " for character in url):
        raise ValueError(f"{url!r} has characters that no URL has")
    return RestAddress(
        url=url.rstrip("/"),
        host=parts.hostname,
        port=_PORTS[parts.scheme] if port is None else port,
        path=parts.path.rstrip("/"),
        is_secure=parts.scheme == "https",
    )


def check_grpc_address(address: str) -> str:
    """Returns an address as `127.0.0.1:8500` or `unix:/path`; ValueError for anything else."""
    if address.startswith(("http://", "https://")):
        raise ValueError(f"{address!r} is a URL; gRPC takes HOST:PORT or unix:/path")
    if ":" not in address.strip("[]:"):
        raise ValueError(f"{address!r} has no port; gRPC takes HOST:PORT or unix:/path")
    return address
