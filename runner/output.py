"""Keeps the libraries' noise in a log file and the user's lines on the terminal."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PROGRESS_LOGGER = "darkroom.progress"
"""What is logged here is for the user: it goes to the terminal as well as to the log."""
_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"


@contextlib.contextmanager
def logged_to(path: Path) -> Iterator[TextIO]:
    """Sends standard output and error, of native code too, into a file.

    Args:
        path: The log file; lines are added to it.

    Yields:
        A text stream to where standard output went before: the user's terminal.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    with path.open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    output, errors = _open_lossy(1), _open_lossy(2)
    try:
        terminal = os.fdopen(os.dup(saved[0]), "w", buffering=1)
        redirected = contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors)
        with terminal, _logging(errors), redirected[0], redirected[1]:
            yield terminal
    finally:
        output.flush()
        errors.flush()
        for descriptor, target in zip(saved, (1, 2), strict=True):
            os.dup2(descriptor, target)
            os.close(descriptor)


class _Lossy(io.FileIO):
    """What a full disk does not take is lost; a line of the log must not fail what it tells of."""

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _open_lossy(descriptor: int) -> TextIO:
    """A text stream that is never closed: libraries keep it, as they do standard error."""
    written = io.BufferedWriter(_Lossy(descriptor, "w", closefd=False))
    return io.TextIOWrapper(written, "utf-8", "backslashreplace", line_buffering=True)


def _logging(stream: TextIO) -> contextlib.AbstractContextManager[None]:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(_FORMAT))
    return _handled(logging.getLogger(), handler)


def progress_to(handler: logging.Handler) -> contextlib.AbstractContextManager[None]:
    """Sends the lines of the progress logger to a handler as well."""
    return _handled(logging.getLogger(PROGRESS_LOGGER), handler)


@contextlib.contextmanager
def _handled(logger: logging.Logger, handler: logging.Handler) -> Iterator[None]:
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
