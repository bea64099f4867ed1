"""TLS of the gRPC API, from TensorFlow Serving's `SSLConfig`."""

import logging
import ssl
import tempfile
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import text_format

from darkroom.serving.model_server.errors import StartError
from darkroom.serving.protos.text_files import TextFileError, read_text_file

logger = logging.getLogger(__name__)


def read_server_credentials(path: Path, has_rest: bool = False) -> grpc.ServerCredentials:
    """Returns the credentials that a file describes.

    The file holds a private key, so no error message repeats any of its text.

    Args:
        path: Text file of an `SSLConfig`, whose fields hold PEM texts. With `client_verify`, only
            clients with a certificate of `custom_ca` are served.
        has_rest: Whether REST, which cannot ask for certificates, is served as well.

    Raises:
        StartError: The file cannot be read, is no `SSLConfig`, or its PEM texts are not valid.
    """
    config = _read(path)
    for name in ("server_key", "server_cert"):
        if not getattr(config, name):
            raise StartError(f"ssl_config_file: {path} has no {name}; give the text of a PEM file")
    if config.client_verify and not config.custom_ca:
        raise StartError(
            f"ssl_config_file: {path} has client_verify and no custom_ca; give the text of the PEM "
            "file of the authority that signs client certificates"
        )
    _check_certificates(path, "server_cert", config.server_cert)
    if config.custom_ca:
        _check_certificates(path, "custom_ca", config.custom_ca)
    _check_key(path, config)
    if config.client_verify and has_rest:
        logger.warning(
            "ssl_config_file: gRPC serves only clients with a certificate, but REST everybody who "
            "reaches its port; leave --rest_api_port out, or guard it with a proxy"
        )
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def _read(path: Path) -> Any:
    try:
        return read_text_file(path, "SSLConfig")
    except TextFileError as error:
        cause = error.__context__
        if isinstance(cause, text_format.ParseError):
            # The parser's own message repeats what it stumbled over, which may be the key.
            raise StartError(
                f"ssl_config_file: {path}: Error parsing text-format tensorflow.serving.SSLConfig: "
                f"{cause.GetLine()}:{cause.GetColumn()}: the PEM texts are strings in quotes, with "
                "\\n for line ends"
            ) from None
        raise StartError(f"ssl_config_file: {error}") from None


def _check_certificates(path: Path, name: str, pem: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cadata=pem)
        is_valid = context.cert_store_stats()["x509"] > 0
    except (ssl.SSLError, ValueError):
        is_valid = False
    if not is_valid:
        raise StartError(f"ssl_config_file: {path}: {name} is not the text of PEM certificates")


def _check_key(path: Path, config: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The ssl module reads files only; this one is readable to nobody else, and gone at once.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{config.server_key}\n{config.server_cert}\n")
        file.flush()
        try:
            # Without a password of its own it would ask for one on the terminal.
            context.load_cert_chain(file.name, password=lambda: b"")
        except ssl.SSLError as error:
            problem = (
                "is not the key of server_cert"
                if error.reason == "KEY_VALUES_MISMATCH"
                else "is not the text of a PEM private key without a password"
            )
            raise StartError(f"ssl_config_file: {path}: server_key {problem}") from None
