"""The JSON documents that requests bring, each read where it holds nobody else up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from darkroom.serving.model_server.errors import StatusError
from darkroom.serving.model_server.event_loop import call_by_size
from darkroom.serving.model_server.rest.json_process import JsonProcess
from darkroom.serving.model_server.rest.json_text import DEFAULT_MAX_DEPTH, parse_object
from darkroom.serving.model_server.rest.messages import Body

LARGE_BYTES: Final = 1 << 20
"""What is larger is read by a process: for each MiB, the parser holds up all threads for 15 ms."""
MAX_PROCESSES: Final = 2
"""Further large documents wait for their turn."""

Read = Callable[..., Awaitable[Any]]
"""Calls a module's function with the document and with further arguments."""


class JsonDocuments:
    """Opens documents whose objects and lists are not nested too deeply."""

    def __init__(self, max_depth: int = DEFAULT_MAX_DEPTH) -> None:
        self._max_depth = max_depth
        self._slots = asyncio.Semaphore(MAX_PROCESSES)
        self._idle: list[JsonProcess] = []

    @contextlib.asynccontextmanager
    async def open(self, body: Body) -> AsyncIterator[Read]:
        """Parses a body, and yields what reads it.

        Raises:
            StatusError: It is no JSON object, or the process that reads it was killed.
        """
        if len(body) <= LARGE_BYTES:
            document = await call_by_size(len(body), parse_object, body, self._max_depth)
            yield lambda function, *args: call_by_size(len(body), function, document, *args)
            return
        async with self._slots:
            process = self._take_process()
            try:
                await asyncio.to_thread(process.call, None, body, self._max_depth)
                yield lambda function, *args: asyncio.to_thread(process.call, function, *args)
            except BaseException as error:
                # Else the request was given up: nobody waits any more for what it does.
                if not isinstance(error, StatusError):
                    process.kill()
                raise
            finally:
                if process.is_alive():
                    await asyncio.to_thread(process.call, None)
                    self._idle.append(process)

    def _take_process(self) -> JsonProcess:
        while self._idle:
            process = self._idle.pop()
            if process.is_alive():
                return process
        return JsonProcess()

    def close(self) -> None:
        """Ends the processes."""
        while self._idle:
            self._idle.pop().end()
