"""The command line of the client."""

import argparse
from pathlib import Path

from darkroom.serving.client.base import ModelClient
from darkroom.serving.client.grpc_client import GrpcClient
from darkroom.serving.client.headers import read_headers
from darkroom.serving.client.rest_client import RestClient
from darkroom.serving.client.retry import RetryPolicy
from darkroom.serving.client.target import Target
from darkroom.serving.client.tls import TlsConfig

_EXIT_CODES = """exit codes: 0 every image was classified; 1 an image or a request failed, and
standard error names it; 2 refused command line; 130 interrupted"""


def create_parser() -> argparse.ArgumentParser:
    """Returns the parser; its result has the command's name as `command`."""
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.serving.client",
        description="Asks any TensorFlow Serving.",
        epilog=_EXIT_CODES,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    predict = commands.add_parser("predict", help="classify image files", epilog=_EXIT_CODES)
    _add_predict_arguments(predict)
    status = commands.add_parser("status", help="show the states of the model's versions")
    metadata = commands.add_parser("metadata", help="show the model's signatures")
    for command in (predict, status, metadata):
        _add_server_arguments(command)
    return parser


def create_client(values: argparse.Namespace) -> ModelClient:
    """Returns the client that a command line asks for; ValueError for one that does not do."""
    target = Target(values.model, values.version, values.label)
    files = (values.ca, values.cert, values.key, values.server_name)
    needs_tls = values.tls or any(value is not None for value in files)
    make: type[RestClient | GrpcClient] = RestClient if values.rest else GrpcClient
    return make(
        values.rest or values.grpc,
        target,
        values.timeout,
        RetryPolicy(attempts=values.retries + 1),
        tls=TlsConfig(*files) if needs_tls else None,
        headers=read_headers(values.headers) if values.headers else None,
        compress=values.gzip,
    )


def _add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="file, folder (stands for the image files in it) or - (standard input)",
    )
    parser.add_argument("--top-k", type=_positive, default=1, help="classes to show (default: 1)")
    parser.add_argument(
        "--batch-size", type=_positive, default=32, help="images in one request (default: 32)"
    )
    parser.add_argument(
        "--concurrency", type=_positive, default=1, help="requests at a time (default: 1)"
    )


def _add_server_arguments(parser: argparse.ArgumentParser) -> None:
    server = parser.add_argument_group("server")
    address = server.add_mutually_exclusive_group(required=True)
    address.add_argument("--rest", metavar="URL", help="REST server, as http://127.0.0.1:8501")
    address.add_argument(
        "--grpc", metavar="ADDRESS", help="gRPC server, as 127.0.0.1:8500 or unix:/path"
    )
    server.add_argument("--model", required=True, metavar="NAME", help="name of the model")
    which = server.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, help="version number (default: the newest)")
    which.add_argument("--label", help="version label")
    server.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="time for one request, its retries included (default: 30)",
    )
    server.add_argument(
        "--retries",
        type=_count,
        default=3,
        metavar="N",
        help="how often to try again while the server is unavailable (default: 3)",
    )
    server.add_argument(
        "--wait",
        type=_patience,
        default=30.0,
        metavar="SECONDS",
        help="how long to wait for the first answer of a server that is starting (default: 30)",
    )
    server.add_argument("--gzip", action="store_true", help="compress requests and answers")
    server.add_argument(
        "--headers",
        type=Path,
        metavar="FILE",
        help="file of `name: value` lines to send along, as authorization",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON: for predict a line for each image"
    )
    _add_tls_arguments(parser.add_argument_group("TLS (secrets come from files only)"))


def _add_tls_arguments(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--tls", action="store_true", help="secure --grpc without further files")
    group.add_argument("--ca", type=Path, metavar="FILE", help="PEM file of authorities to trust")
    group.add_argument("--cert", type=Path, metavar="FILE", help="PEM file of our certificate")
    group.add_argument("--key", type=Path, metavar="FILE", help="PEM file of its private key")
    group.add_argument(
        "--server-name", metavar="NAME", help="name in the server's certificate, if not its host"
    )


def _positive(text: str) -> int:
    return _count(text, 1)


def _count(text: str, least: int = 0) -> int:
    value = int(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"{value} is not {least} or more")
    return value


def _patience(text: str) -> float:
    return 0.0 if text == "0" else _seconds(text)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value
