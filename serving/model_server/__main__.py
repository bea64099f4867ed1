"""`python -m serving.model_server`: serves until SIGTERM or SIGINT, then exits with 0.

Exit codes: 0 stopped by a signal, 1 cannot start, 2 refused command line.
"""

import json
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from serving.model_server.errors import StartError
from serving.model_server.flags import CommandLine, FlagError, parse_flags
from serving.model_server.server import ModelServer

logger = logging.getLogger("serving.model_server")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server; returns the exit code."""
    try:
        command_line = parse_flags(sys.argv[1:] if arguments is None else arguments)
    except FlagError as error:
        print(f"model_server: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s: %(message)s"
    )
    for warning in command_line.warnings:
        logger.warning("%s", warning)
    try:
        _serve(command_line, _catch_signals())
    except StartError as error:
        print(f"model_server: {error}", file=sys.stderr)
        return 1
    return 0


def _catch_signals() -> threading.Event:
    """Returns an event that the first SIGTERM or SIGINT sets; the next one kills as ever."""
    stopping = threading.Event()

    def stop(number: int, _: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping


def _serve(command_line: CommandLine, stopping: threading.Event) -> None:
    with ModelServer(command_line.config) as server:
        if command_line.port_file is not None:
            _write_ports(server, command_line.port_file)
        print(server.describe(), flush=True)
        stopping.wait()
        logger.info("stopping")


def _write_ports(server: ModelServer, path: Path) -> None:
    # Renamed into place, so that whoever waits for the file never reads half of it.
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps({"rest": server.rest_port, "grpc": server.grpc_port}))
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
