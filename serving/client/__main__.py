"""`python -m darkroom.serving.client predict IMAGE…`: files in, labels and scores out.

Exit codes: 0 every image was classified; 1 an image or a request failed, and standard error names
it; 2 refused command line; 130 interrupted; 141 nobody reads the output any more.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final

from darkroom.serving.client.arguments import create_client, create_parser
from darkroom.serving.client.base import ModelClient
from darkroom.serving.client.errors import ClientError
from darkroom.serving.client.predict_command import predict
from darkroom.serving.client.remedies import describe
from darkroom.serving.client.signatures import Signature

_INTERRUPTED: Final = 130
_BROKEN_PIPE: Final = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    try:
        return _run(create_parser().parse_args(arguments))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Else Python complains when it flushes what it could not write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE


def _run(values: argparse.Namespace) -> int:
    commands: dict[str, Callable[[ModelClient, argparse.Namespace], int]] = {
        "predict": lambda client, values: predict(client, values, _report),
        "status": _show_status,
        "metadata": _show_metadata,
    }
    try:
        with create_client(values) as client:
            client.wait_for_start(values.wait, _report)
            return commands[values.command](client, values)
    except ValueError as error:
        _report(str(error))
        return 2
    except ClientError as error:
        _report(describe(error))
        return 1


def _report(line: str) -> None:
    print(f"client: {line}", file=sys.stderr, flush=True)


def _show_status(client: ModelClient, values: argparse.Namespace) -> int:
    statuses = client.get_status()
    if values.json:
        print(json.dumps([vars(status) for status in statuses], indent=2), flush=True)
        return 0
    for status in statuses:
        error = f" {status.error_code}: {status.error_message}" if status.error_message else ""
        print(f"{values.model} version {status.version}: {status.state}{error}", flush=True)
    return 0


def _show_metadata(client: ModelClient, values: argparse.Namespace) -> int:
    signatures = client.get_signatures()
    if values.json:
        documents = {name: asdict(signature) for name, signature in signatures.items()}
        print(json.dumps(documents, indent=2), flush=True)
        return 0
    # What TensorFlow puts beside the signatures when it saves a model cannot be called.
    for name in (name for name in signatures if not name.startswith("__saved_model_")):
        print(_describe_signature(name, signatures[name]), flush=True)
    return 0


def _describe_signature(name: str, signature: Signature) -> str:
    method = f" ({signature.method_name})" if signature.method_name else ""
    takes = [f"  takes {key}: {spec}" for key, spec in signature.inputs.items()]
    gives = [f"  gives {key}: {spec}" for key, spec in signature.outputs.items()]
    return "\n".join([f"{name}{method}", *takes, *gives])


if __name__ == "__main__":
    sys.exit(main())
