"""Certificates for a connection that nobody reads along.

Secrets come from files only: what stands on a command line, every user of the machine can read.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc


@dataclass(frozen=True)
class TlsConfig:
    """How to check the server, and how to prove who asks.

    Args:
        ca: PEM file of the authorities to trust; None trusts those of the system.
        cert: PEM file of this client's certificate (mutual TLS), with its chain.
        key: PEM file of the certificate's private key, not encrypted.
        server_name: Name that the server's certificate must have, where it is not the host that
            is asked: behind a tunnel, or in a test.

    Raises:
        ValueError: One of `cert` and `key` without the other, or a file that is unfit.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ValueError("a client's certificate needs both cert and key")
        # Here, so that both protocols report an unfit file in the same words, and early.
        self.create_context()

    def create_context(self) -> ssl.SSLContext:
        """Returns the context of a REST connection; ValueError for a missing or unfit file."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"cannot use {self.ca} as ca: {_describe(error)}") from None
        if self.cert is not None and self.key is not None:
            try:
                context.load_cert_chain(self.cert, self.key, password=self._refuse_password)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(
                    f"cannot use {self.cert} and {self.key} as cert and key: {_describe(error)}"
                ) from None
        return context

    def create_channel_credentials(self) -> Any:
        """Returns the `ChannelCredentials` of a gRPC connection."""
        ca, key, cert = (
            None if path is None else path.read_bytes() for path in (self.ca, self.key, self.cert)
        )
        return grpc.ssl_channel_credentials(ca, key, cert)

    def _refuse_password(self) -> str:
        # Else OpenSSL asks for it on the terminal.
        raise ValueError(f"{self.key} is encrypted; give a key without a password")


def _describe(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)
