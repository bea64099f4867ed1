"""The threads that compute batches, shared by all models of a server."""

import asyncio
import atexit
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from darkroom.serving.model_server.batching.merging import Arrays, Outputs
from darkroom.serving.model_server.batching.queues import BatchQueue
from darkroom.serving.model_server.errors import Code, StatusError


class BatchScheduler:
    """Threads that take batches from any number of queues, one queue after the other.

    A batch starts as soon as a thread is free and the batch is full or its oldest request has
    waited `batch_timeout_micros`. A queue with much to do gets every other turn at most while
    another one has a batch that is due.

    The time limits of all queues are measured by `clock`, which returns seconds.
    """

    def __init__(
        self,
        num_threads: int,
        name: str = "batch_threads",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self._condition = threading.Condition(threading.Lock())
        self._waiting: deque[BatchQueue] = deque()
        self._wakes_at = math.inf
        self._closed = False
        self._threads = [
            # Daemons, yet joined at exit: an idle one must not keep the process alive, and one
            # that is inside TensorFlow must not be cut off there.
            threading.Thread(target=self._work, name=f"{name}_{index}", daemon=True)
            for index in range(num_threads)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.close)

    def submit(self, queue: BatchQueue, inputs: Arrays) -> list["asyncio.Future[Outputs]"]:
        """Lets a request wait in a queue, and returns the futures of its parts, at least one.

        Called in the event loop that awaits the answer.

        Raises:
            InvalidArgument: The inputs cannot be part of a batch.
            StatusError: UNAVAILABLE; the queue is full, or the threads have ended.
        """
        request = queue.check(inputs)
        create_future = asyncio.get_running_loop().create_future
        with self._condition:
            if self._closed:
                raise StatusError(Code.UNAVAILABLE, "the server is stopping")
            idle = not len(queue)
            futures, news = queue.add(request, create_future, self.clock())
            if idle:
                self._waiting.append(queue)
            # Most requests join a batch that is looked after already.
            if news and queue.find_due_time() < self._wakes_at:
                self._condition.notify()
        return futures

    def flush(self, queue: BatchQueue) -> None:
        """Computes what waits in a queue without waiting for more; does not block."""
        with self._condition:
            queue.close()
            self._condition.notify()

    def close(self, wait: bool = True) -> None:
        """Takes no more requests and ends the threads once they have computed what waits."""
        with self._condition:
            self._closed = True
            for queue in self._waiting:
                queue.close()
            self._condition.notify_all()
        if wait:
            for thread in self._threads:
                thread.join()
            atexit.unregister(self.close)

    def _work(self) -> None:
        # A call for each batch, so that no variable holds on to its arrays while there is no other.
        while self._compute_next():
            pass

    def _compute_next(self) -> bool:
        with self._condition:
            work = self._take()
            while work is None:
                if self._closed:
                    return False
                self._wait()
                work = self._take()
            if self._waiting:
                # Somebody else must look after the rest, as this thread cannot now.
                self._condition.notify()
        work()
        return True

    def _take(self) -> Callable[[], None] | None:
        now = self.clock()
        for _ in range(len(self._waiting)):
            queue = self._waiting.popleft()
            batch = queue.take(now)
            if len(queue):
                self._waiting.append(queue)
            if batch is not None:
                return partial(queue.process, batch.tasks)
        return None

    def _wait(self) -> None:
        """Waits until it is told of news; one thread at a time also until the next batch is due."""
        due = min((queue.find_due_time() for queue in self._waiting), default=math.inf)
        if due >= self._wakes_at:
            self._condition.wait()
            return
        self._wakes_at = due
        self._condition.wait(min(due - self.clock(), threading.TIMEOUT_MAX))
        if self._wakes_at == due:
            self._wakes_at = math.inf
