"""The requests that wait for one signature of one version, gathered into batches."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from darkroom.serving.model_server.batching.merging import (
    Arrays,
    Outputs,
    count_rows,
    cut,
    describe_kind,
)
from darkroom.serving.model_server.batching.parameters import BatchingParameters
from darkroom.serving.model_server.deadlines import NO_DEADLINE
from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError
from darkroom.serving.model_server.operations.request_record import find_deadline

_FULL: Final = "The batch scheduling queue to which this task was submitted is full; "


class Request(NamedTuple):
    """A request that may wait in a queue.

    Attributes:
        rows: Rows of each input.
        kind: Equal for requests that may share a batch.
        may_split: Whether it may go into several batches.
    """

    inputs: Arrays
    rows: int
    kind: Hashable
    may_split: bool


@dataclass(slots=True, eq=False)
class Task:
    """A request, or a part of one, that waits to be computed.

    Attributes:
        rows: Rows of each input.
        future: Where the answer goes; cancelled when nobody waits for it any more.
        enqueued_at: When it came, in seconds of the scheduler's clock.
        deadline: When nobody waits for the answer any more.
    """

    inputs: Arrays
    rows: int
    future: "asyncio.Future[Outputs]"
    enqueued_at: float
    deadline: float = NO_DEADLINE


@dataclass(slots=True, eq=False)
class Batch:
    """Tasks that will be computed together.

    Attributes:
        opened_at: When the first task came.
        weight: Their rows; one without rows counts as one, so that no batch is endless.
    """

    opened_at: float
    tasks: list[Task] = field(default_factory=list)
    weight: int = 0

    def add(self, task: Task) -> None:
        """Appends a task."""
        self.tasks.append(task)
        self.weight += max(task.rows, 1)


class BatchQueue:
    """Gathers tasks into batches and gives out those that are due; not safe to use from threads.

    For inputs that must not share a batch (other shapes, other types) there is an open batch of
    each kind. All batches count against the limit together, so that a client who sends many
    shapes gets no more room than others.

    `process` is called with the tasks of a batch, in a batch thread; it must not raise.
    """

    def __init__(
        self, parameters: BatchingParameters, process: Callable[[list[Task]], None]
    ) -> None:
        self.process = process
        self._parameters = parameters
        self._limit = parameters.execution_limit
        self._max_batches = max(parameters.max_enqueued_batches, 1)
        self._timeout = parameters.timeout_seconds
        self._open: dict[Hashable, Batch] = {}
        self._full: deque[Batch] = deque()
        self._closed = False

    def __len__(self) -> int:
        """How many batches wait."""
        return len(self._open) + len(self._full)

    def check(self, inputs: Arrays) -> Request:
        """Returns a request that `add` takes; unlike all else here, safe to use from any thread.

        Raises:
            InvalidArgument: The inputs have no common number of rows, or too many.
        """
        rows = count_rows(inputs)
        if rows > self._parameters.max_batch_size:
            raise InvalidArgument(
                f"Task size {rows} is larger than maximum input batch size "
                f"{self._parameters.max_batch_size}"
            )
        pad = self._parameters.pad_variable_length_inputs
        may_split = self._parameters.enable_large_batch_splitting
        if pad and may_split:
            # Parts that were padded to different shapes could not be put together again. So only
            # those are split that must be, and they share batches with their own shape alone.
            may_split = rows > self._limit
            pad = not may_split
        return Request(inputs, rows, describe_kind(inputs, pad), may_split)

    def add(
        self, request: Request, create_future: Callable[[], "asyncio.Future[Outputs]"], now: float
    ) -> tuple[list["asyncio.Future[Outputs]"], bool]:
        """Adds a request; `create_future` creates what its answer goes to.

        Returns:
            The futures of its parts, one if it is not split, and whether a batch was opened or
            filled, so that somebody should look at the queue.

        Raises:
            StatusError: UNAVAILABLE; the queue is full.
        """
        sizes = self._plan(request)
        futures = []
        news = False
        for part, rows in zip(cut(request.inputs, sizes), sizes, strict=True):
            task = Task(part, rows, create_future(), now, find_deadline())
            futures.append(task.future)
            news |= self._append(request.kind, task)
        return futures, news

    def _plan(self, request: Request) -> Sequence[int]:
        """Returns the rows of each part of a request for which there is room."""
        batch = self._open.get(request.kind)
        room = self._limit - batch.weight if batch is not None else 0
        weight = max(request.rows, 1)
        if weight <= room:
            return (request.rows,)
        free = self._max_batches - len(self)
        if not request.may_split:
            if free <= 0:
                raise StatusError(
                    Code.UNAVAILABLE,
                    f"{_FULL}currently {len(self)} batches enqueued and max_enqueued_batches is "
                    f"{self._max_batches}",
                )
            return (request.rows,)
        capacity = free * self._limit + room
        if weight > capacity:
            raise StatusError(
                Code.UNAVAILABLE,
                f"{_FULL}task size is {request.rows} but scheduling capacity is only {capacity} "
                f"(num_enqueued_batches={len(self)}, max_enqueued_batches={self._max_batches}, "
                f"max_execution_batch_size={self._limit})",
            )
        return _cut_rows(request.rows, room, self._limit)

    def _append(self, kind: Hashable, task: Task) -> bool:
        batch = self._open.get(kind)
        if batch is not None and batch.weight + max(task.rows, 1) > self._limit:
            self._full.append(self._open.pop(kind))
            batch = None
        opened = batch is None
        if batch is None:
            batch = self._open[kind] = Batch(task.enqueued_at)
        batch.add(task)
        filled = batch.weight >= self._limit
        if filled:
            self._full.append(self._open.pop(kind))
        return opened or filled

    def take(self, now: float) -> Batch | None:
        """Returns the oldest batch that is full or has waited long enough, or None."""
        kind = next(iter(self._open), None)
        if kind is not None:
            oldest = self._open[kind]
            due = self._closed or now >= oldest.opened_at + self._timeout
            if due and not (self._full and self._full[0].opened_at <= oldest.opened_at):
                return self._open.pop(kind)
        return self._full.popleft() if self._full else None

    def find_due_time(self) -> float:
        """Returns when there will be something to take; infinity if nothing waits."""
        if self._full or (self._closed and self._open):
            return -math.inf
        oldest = next(iter(self._open.values()), None)
        return oldest.opened_at + self._timeout if oldest is not None else math.inf

    def close(self) -> None:
        """From now on, batches need not wait until they are full."""
        self._closed = True


def _cut_rows(rows: int, room: int, limit: int) -> Sequence[int]:
    """Returns the rows of each part: the first fills the open batch, the others new ones."""
    first = [room] if room else []
    whole, rest = divmod(rows - room, limit)
    # One part at least, for a request without rows.
    return first + [limit] * whole + ([rest] if rest else []) or [0]
