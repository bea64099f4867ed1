"""`darkroom predict IMAGE…`: classes of images, from the pushed model."""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from darkroom.commands.options import add_json, add_runs_folder

if TYPE_CHECKING:
    from darkroom.commands.pipelines import PushedPipeline
    from darkroom.serving.client import RestClient

HELP = "classify images with a pipeline's pushed model"
_SERVE_ADDRESS: Final = "http://127.0.0.1:8501"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="a file, or a folder of them")
    parser.add_argument("--name", metavar="NAME", help="the pipeline, where several have run")
    parser.add_argument(
        "--top-k", type=int, default=1, metavar="K", help="classes to show (default: 1)"
    )
    parser.add_argument(
        "--rest", metavar="URL",
        help=f"a server to ask (default: `darkroom serve` at {_SERVE_ADDRESS} where it runs, "
        "else one that is started for it)",
    )  # fmt: skip
    add_runs_folder(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prints a line an image; exit code 1 where one could not be classified."""
    from darkroom.commands.pipelines import open_pipeline
    from darkroom.serving.client.predict_command import predict

    pipeline = open_pipeline(options.runs, options.name or _only_pipeline(options.runs))
    values = argparse.Namespace(
        images=options.images, top_k=options.top_k, json=options.json, batch_size=32, concurrency=1
    )
    with _client(options.rest, pipeline) as client:
        return predict(client, values, lambda line: print(line, file=sys.stderr, flush=True))


def _only_pipeline(folder: Path) -> str:
    from darkroom.runner.runs import list_pipelines
    from darkroom.runner.session import RunError

    known = list_pipelines(folder)
    if len(known) != 1:
        ran = f"{', '.join(known)} have run" if known else "none has run"
        raise RunError(f"--name: which pipeline's model? In {str(folder)!r} {ran}")
    return known[0]


@contextlib.contextmanager
def _client(rest: str | None, pipeline: "PushedPipeline") -> "Iterator[RestClient]":
    from darkroom.commands.served_model import serve_model
    from darkroom.serving.client import RestClient
    from darkroom.storage.versions.lifecycle import find_served

    if rest or _answers(_SERVE_ADDRESS, pipeline.model_name):
        with RestClient(rest or _SERVE_ADDRESS, pipeline.model_name) as client:
            yield client
        return
    served = find_served(pipeline.destination)
    print(f"loading version {served.number} of {pipeline.destination} …", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "serve.log"
        with (
            serve_model(pipeline.destination, pipeline.model_name, log) as server,
            RestClient(server.rest, pipeline.model_name) as client,
        ):
            yield client


def _answers(address: str, model_name: str) -> bool:
    from darkroom.serving.client import RestClient
    from darkroom.serving.client.errors import ClientError
    from darkroom.serving.client.retry import RetryPolicy

    with (
        contextlib.suppress(ClientError),
        RestClient(address, model_name, 2.0, RetryPolicy(attempts=1)) as client,
    ):
        return any(status.state == "AVAILABLE" for status in client.get_status())
    return False
