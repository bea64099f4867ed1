"""`python -m darkroom.serving.model_server`: serves until SIGTERM or SIGINT, then exits with 0.

Exit codes: 0 stopped by a signal, 1 cannot start, 2 refused command line.
"""

import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from darkroom.serving.model_server.errors import StartError, StartInterrupted
from darkroom.serving.model_server.flags import CommandLine, FlagError, parse_flags
from darkroom.serving.model_server.models.manager import FOLLOWING
from darkroom.serving.model_server.server import COMPUTING, ModelServer
from darkroom.storage.whole_files import replace_text

logger = logging.getLogger("darkroom.serving.model_server")

LEAVE_SECONDS: Final = 1.0
"""How long what still loads or computes is waited for when the server has stopped."""


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
        _serve(command_line)
    except StartError as error:
        print(f"model_server: {error}", file=sys.stderr)
        return 1
    except StartInterrupted as error:
        logger.info("%s", error)
    return 0


def _catch_signals(server: ModelServer) -> "queue.SimpleQueue[int]":
    """Returns where the first SIGTERM or SIGINT is put; the next one kills as ever."""
    # A handler may interrupt anything: this queue, unlike an event, has no lock that may be held.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()

    def stop(number: int, _: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        server.interrupt()
        signals.put(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return signals


def _serve(command_line: CommandLine) -> None:
    server = ModelServer(command_line.config, owns_process=True)
    signals = _catch_signals(server)
    with server:
        if command_line.port_file is not None:
            _write_ports(server, command_line.port_file)
        print(server.describe(), flush=True)
        signals.get()
        logger.info("stopping")


def _write_ports(server: ModelServer, path: Path) -> None:
    # Whoever waits for the file never reads half of it.
    replace_text(path, json.dumps({"rest": server.rest_port, "grpc": server.grpc_port}))


def _leave(code: int) -> NoReturn:
    """Ends the process.

    A load or request that outlasts the server cannot be stopped. Python would wait for it, or take
    itself apart while TensorFlow runs, which crashes; so the process is then ended at once.
    """
    deadline = time.monotonic() + LEAVE_SECONDS
    for thread in threading.enumerate():
        if thread.name.startswith((FOLLOWING, COMPUTING)):
            thread.join(max(deadline - time.monotonic(), 0.0))
            if thread.is_alive():
                logging.shutdown()
                sys.stdout.flush()
                os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    _leave(main())
