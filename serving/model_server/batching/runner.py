"""Asks a model for a whole batch, and hands each request its rows."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from darkroom.serving.model_server.batching.merging import (
    Arrays,
    Outputs,
    UnbatchableModel,
    choose_size,
    merge,
    split,
)
from darkroom.serving.model_server.batching.queues import Task
from darkroom.serving.model_server.errors import StatusError, to_status_error
from darkroom.serving.model_server.operations.metrics import Metrics

logger = logging.getLogger(__name__)

Answer = tuple["asyncio.Future[Outputs]", Outputs | StatusError]
"""Where the answer to one task goes, and what it is."""


@dataclass(frozen=True)
class BatchRunner:
    """Computes batches of one signature.

    A request that the model fails on must not fail those that share its batch by chance. So a
    batch that fails is computed again in parts, of about the square root of its number of requests
    each, and the requests of a part that fails again one by one. No request is computed more than
    three times, whatever was sent; with one guilty request in 64, the model is called 17 times.
    TensorFlow Serving fails the whole batch.

    Args:
        run: Runs the model until a deadline: inputs to outputs. Called from several threads.
        allowed_sizes: Sizes up to which batches are padded.
        clock: Time in seconds, as in the tasks.
    """

    run: Callable[[Arrays, float], Arrays]
    metrics: Metrics
    allowed_sizes: Sequence[int] = ()
    clock: Callable[[], float] = time.monotonic

    def process(self, tasks: Sequence[Task], first: bool = True) -> None:
        """Computes tasks as one batch and sets their futures, in the loops that they are of.

        Tasks whose futures are cancelled are left out. Never raises. `first` says that they have
        not been computed before.
        """
        tasks = [task for task in tasks if not task.future.cancelled()]
        if not tasks:
            return
        try:
            outputs = self._compute(tasks, first)
        except Exception as error:
            if len(tasks) == 1 or isinstance(error, UnbatchableModel):
                _deliver_error(tasks, error)
                return
        else:
            _deliver([(t.future, part) for t, part in zip(tasks, outputs, strict=True)])
            return
        # Only here are the error and the arrays that its traceback holds on to let go.
        size = math.isqrt(len(tasks)) if first else 1
        for start in range(0, len(tasks), size):
            self.process(tasks[start : start + size], first=False)

    def _compute(self, tasks: Sequence[Task], first: bool) -> list[Outputs]:
        rows = [task.rows for task in tasks]
        total = sum(rows)
        size = choose_size(total, self.allowed_sizes)
        self._observe(tasks if first else (), size, size - total)
        deadline = max(task.deadline for task in tasks)
        outputs = self.run(merge([task.inputs for task in tasks], total, size), deadline)
        return split(outputs, rows, size)

    def _observe(self, tasks: Sequence[Task], size: int, padding: int) -> None:
        now = self.clock()
        waited = [now - task.enqueued_at for task in tasks]
        self.metrics.observe_batch(size, padding, waited, [task.rows for task in tasks])


def _deliver_error(tasks: Sequence[Task], error: Exception) -> None:
    # One error each, because each is raised, and so changed, elsewhere.
    status = to_status_error(error, "a batch")
    arguments = status.code, status.message, status.is_logged
    _deliver([(task.future, StatusError(*arguments)) for task in tasks])


def _deliver(answers: Sequence[Answer]) -> None:
    """Sets futures with one call into each loop, as every call wakes that loop's thread."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Answer]] = {}
    for answer in answers:
        by_loop.setdefault(answer[0].get_loop(), []).append(answer)
    for loop, its_answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_set_futures, its_answers)
        except RuntimeError:
            logger.debug("nobody waits for %d answers: the loop is closed", len(its_answers))


def _set_futures(answers: Sequence[Answer]) -> None:
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, StatusError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
