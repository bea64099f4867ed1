"""`python -m serving.client predict FILE…`: files in, labels and scores out.

Exit codes: 0 every image was classified, 1 the server gave no answer or could not decode an
image, 2 refused command line or a file that cannot be read.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from serving.client.errors import ClientError
from serving.client.grpc_client import GrpcClient
from serving.client.prediction import Prediction
from serving.client.rest_client import RestClient
from serving.client.target import Target


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    values = _create_parser().parse_args(arguments)
    try:
        target = Target(values.model, values.version, values.label)
    except ValueError as error:
        print(f"client: {error}", file=sys.stderr)
        return 2
    try:
        with _create_client(values, target) as client:
            return values.run(client, values)
    except OSError as error:
        print(f"client: cannot read {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ClientError as error:
        print(f"client: {error}", file=sys.stderr)
        return 1


def _create_client(values: argparse.Namespace, target: Target) -> RestClient | GrpcClient:
    if values.rest:
        return RestClient(values.rest, target, values.timeout)
    return GrpcClient(values.grpc, target, values.timeout)


def _predict(client: RestClient | GrpcClient, values: argparse.Namespace) -> int:
    # All files first: one that is missing costs no request.
    for path in values.files:
        path.open("rb").close()
    predictions: list[Prediction] = []
    for paths in _split(values.files, values.batch_size):
        predictions += client.predict([path.read_bytes() for path in paths])
    results = list(zip(values.files, predictions, strict=True))
    if values.json:
        print(json.dumps([_to_json(*result, values.top_k) for result in results], indent=2))
    else:
        for path, prediction in results:
            print(_to_line(path, prediction, values.top_k))
    return 0 if all(prediction.valid for prediction in predictions) else 1


def _split(paths: list[Path], size: int) -> Iterator[list[Path]]:
    return (paths[start : start + size] for start in range(0, len(paths), size))


def _to_line(path: Path, prediction: Prediction, top_k: int) -> str:
    if not prediction.valid:
        return f"{path}: not an image that the model can decode"
    ranked = ", ".join(f"{label} {score:.4f}" for label, score in prediction.top(top_k))
    return f"{path}: {ranked}"


def _to_json(path: Path, prediction: Prediction, top_k: int) -> dict[str, Any]:
    return {
        "file": str(path),
        "label": prediction.label,
        "score": prediction.score,
        "valid": prediction.valid,
        "top": [{"label": label, "score": score} for label, score in prediction.top(top_k)],
    }


def _status(client: RestClient | GrpcClient, values: argparse.Namespace) -> int:
    statuses = client.get_status()
    if values.json:
        print(json.dumps([vars(status) for status in statuses], indent=2))
    else:
        for status in statuses:
            error = f" {status.error_code}: {status.error_message}" if status.error_message else ""
            print(f"{values.model} version {status.version}: {status.state}{error}")
    return 0


def _create_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.client", description="Asks any TensorFlow Serving."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    predict = commands.add_parser("predict", help="classify image files")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE")
    predict.add_argument("--top-k", type=_positive, default=1, help="classes to show (default: 1)")
    predict.add_argument(
        "--batch-size", type=_positive, default=32, help="images in one request (default: 32)"
    )
    predict.set_defaults(run=_predict)
    status = commands.add_parser("status", help="show the states of the model's versions")
    status.set_defaults(run=_status)
    for command in (predict, status):
        _add_server_arguments(command)
    return parser


def _add_server_arguments(parser: argparse.ArgumentParser) -> None:
    address = parser.add_mutually_exclusive_group(required=True)
    address.add_argument("--rest", metavar="URL", help="REST server, as http://127.0.0.1:8501")
    address.add_argument("--grpc", metavar="HOST:PORT", help="gRPC server, as 127.0.0.1:8500")
    parser.add_argument("--model", required=True, metavar="NAME", help="name of the model")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, help="version number (default: the newest)")
    which.add_argument("--label", help="version label")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


if __name__ == "__main__":
    sys.exit(main())
