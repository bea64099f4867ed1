"""`darkroom serve NAME`: the pushed model over REST and gRPC, until Ctrl-C."""

import argparse

from darkroom.commands.options import add_pipeline

HELP = "serve a pipeline's pushed model over REST and gRPC"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_pipeline(parser)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=8501, help="of REST (default: 8501; 0: a free one)"
    )
    parser.add_argument(
        "--grpc-port", type=int, default=8500, help="of gRPC (default: 8500; 0: a free one)"
    )


def run(options: argparse.Namespace) -> int:
    """Says in one line where the server answers, and waits."""
    from darkroom.commands.pipelines import open_pipeline
    from darkroom.commands.served_model import serve_model
    from darkroom.runner.interruption import interruptible
    from darkroom.storage.versions.lifecycle import find_served

    pipeline = open_pipeline(options.runs, options.pipeline)
    served = find_served(pipeline.destination)
    log = options.runs / pipeline.name / "serve.log"
    ports = (options.port, options.grpc_port)
    print(f"loading version {served.number} of {pipeline.destination} …", flush=True)
    with (
        interruptible(),
        serve_model(pipeline.destination, pipeline.model_name, log, options.host, ports) as server,
    ):
        print(
            f"{pipeline.model_name} is served at {server.rest}/v1/models/{pipeline.model_name} "
            f"and {server.grpc} (gRPC); log {log}; Ctrl-C ends it",
            flush=True,
        )
        return server.process.wait()
