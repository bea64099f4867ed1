"""Several calls at a time, their results in the order of what was asked."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def split(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields lists of `size` items, the last one shorter; takes no more items than it gives."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], concurrency: int
) -> Generator[Result, None, None]:
    """Yields the function's results in the order of the items, each as soon as it can.

    At most twice as many items as there are threads are taken before the first result is given
    away, so that a long list needs no more memory than a short one. What is not begun when the
    iterator is closed or a call fails, is not begun any more.

    Args:
        items: Taken one by one, by the caller's thread.

    Raises:
        ValueError: `concurrency` is less than 1.
        Exception: Whatever the function raises, when that result's turn comes.
    """
    executor = ThreadPoolExecutor(concurrency, "client")
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            while pending and (pending[0].done() or len(pending) >= 2 * concurrency):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
