"""The thread whose event loop answers both protocols."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, ClassVar, Final, ParamSpec, TypeVar

import uvloop

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

INLINE_BYTES: Final = 64 * 1024
"""What is larger is read and written in a thread, as it would hold up all other requests."""


class EventLoopThread:
    """An event loop in a thread of its own; servers of one process share it.

    One loop for everything: a request that waits costs no thread, so that hundreds may wait for
    their batch, and small requests cost no switch between threads. And one loop for all: gRPC's
    own part of several loops reads the same socket.
    """

    _guard: ClassVar = threading.Lock()
    _shared: ClassVar["_RunningLoop | None"] = None

    def __init__(self) -> None:
        self._stopped = False
        with self._guard:
            if EventLoopThread._shared is None:
                EventLoopThread._shared = _RunningLoop()
            self._running = EventLoopThread._shared
            self._running.users += 1

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine in the loop and waits for its result; not from the loop itself."""
        return self.submit(coroutine).result()

    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Runs a coroutine in the loop; returns at once."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running.loop)

    def stop(self) -> None:
        """Lets go of the loop; the last one cancels what still runs and ends the thread."""
        with self._guard:
            if self._stopped:
                return
            self._stopped = True
            self._running.users -= 1
            if not self._running.users:
                EventLoopThread._shared = None
                self._running.end()


class _RunningLoop:
    """The loop that runs, and how many use it."""

    def __init__(self) -> None:
        self.users = 0
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="requests", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.run_until_complete(self._cancel_all())
        self.loop.close()

    async def _cancel_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def call_by_size(
    size: int,
    function: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Calls a function at once where it reads and writes few bytes, else in a thread."""
    if size <= INLINE_BYTES:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
