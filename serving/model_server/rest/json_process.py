"""The process that reads large JSON, so that the server goes on meanwhile.

Python's parser keeps all threads of its process waiting until it is through. This one is told over
its standard input what to call, answers over its standard output, and ends when the server does.
"""

import contextlib
import gc
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from google.protobuf.message import Message

from darkroom.serving import protos
from darkroom.serving.model_server.errors import Code, StatusError, to_status_error
from darkroom.serving.model_server.rest.json_text import parse_object

_ROOT: Final = Path(__file__).parents[3]
_SLICE: Final = 10_000
_KILLED: Final = (
    "The process that reads large requests was killed, as when memory runs out; the next request "
    "starts another one"
)


class JsonProcess:
    """A process that holds one JSON document at a time.

    It does not import TensorFlow, and is there within a second. Its methods wait for it, without
    holding other threads up; `kill` may be called from any thread meanwhile.
    """

    def __init__(self) -> None:
        # A session of its own: Ctrl-C ends the server, which still answers what it has begun.
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import {__name__} as process; process.main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            start_new_session=True,
        )
        self._killed = False

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def call(self, function: Callable[..., Any] | None, *args: Any) -> Any:
        """Returns what a function answers that is called with the document, then `args`.

        None instead of a function has `args` parsed, or the document dropped if there are none.

        Raises:
            StatusError: What the function raises, or that the process was killed.
        """
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None  # Popen has been asked for them.
        try:
            pickle.dump((function, args), requests, pickle.HIGHEST_PROTOCOL)
            requests.flush()
            failure, result = pickle.load(answers)
        except (OSError, EOFError, pickle.UnpicklingError):
            self.end()
            raise StatusError(Code.UNAVAILABLE, _KILLED) from None
        if failure is not None:
            raise StatusError(Code(failure), result)
        return result

    def kill(self) -> None:
        """Ends the process, without waiting until its memory is given back."""
        self._killed = True
        self._process.kill()

    def end(self) -> None:
        """Ends the process, and waits for its end."""
        self.kill()
        self._process.wait()

    def is_alive(self) -> bool:
        """Returns whether it can be asked."""
        return not self._killed and self._process.poll() is None


class _Pickler(pickle.Pickler):
    """Writes tensors as few large pieces: loading millions of objects would be a stall again.

    Messages as one: their classes are made at run time, so pickle has no name for them.
    """

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype == object:
            strings = value.ravel().tolist()
            sizes = np.fromiter(map(len, strings), np.int64, len(strings))
            return _split, (b"".join(strings), sizes, value.shape)
        if isinstance(value, Message):
            return _parse, (value.DESCRIPTOR.full_name, value.SerializeToString())
        return NotImplemented


def _parse(full_name: str, content: bytes) -> Any:
    return protos.message_class(full_name).FromString(content)


def _split(content: bytes, sizes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    ends = np.cumsum(sizes)
    starts = ends - sizes
    array = np.empty(len(sizes), object)
    for first in range(0, len(sizes), _SLICE):
        part = slice(first, first + _SLICE)
        bounds = zip(starts[part].tolist(), ends[part].tolist(), strict=True)
        array[part] = [content[start:end] for start, end in bounds]
    return array.reshape(shape)


def main() -> None:
    """Answers calls until there are no more."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Whatever is printed must not get among the answers.
    os.dup2(2, 1)
    gc.disable()
    document: dict[str, Any] | None = None
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            function, args = pickle.load(requests)
            answer: tuple[int | None, Any] = None, None
            try:
                if function is not None:
                    answer = None, function(document, *args)
                else:
                    document = None
                    document = parse_object(*args) if args else None
            except Exception as error:
                answer = _describe(error)
            _Pickler(answers, pickle.HIGHEST_PROTOCOL).dump(answer)
            answers.flush()
            # Nothing of a document may outlast it.
            del args, answer


def _describe(error: Exception) -> tuple[int, str]:
    if not isinstance(error, StatusError):
        traceback.print_exception(error)
    status = to_status_error(error)
    return status.code.value, status.message
