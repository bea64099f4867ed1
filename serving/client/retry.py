"""Trying again while a server is unavailable, within one deadline.

What is tried again: no connection, a connection that breaks (a model's answer changes nothing, so
asking twice does no harm), UNAVAILABLE and HTTP 502 and 503, which is also what TensorFlow Serving
answers when its batching queue is full. RESOURCE_EXHAUSTED and HTTP 429 only when the server says
after how long: TensorFlow Serving's own means that memory ran out, or that a message is too large,
and the same request would meet the same end. Nothing else.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from darkroom.serving.client.errors import DeadlineError, UnavailableError

Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon to try again.

    Args:
        attempts: How many tries in all, at least 1.
        first_delay_seconds: Mean pause after the first try; each next one is twice as long.
        max_delay_seconds: Mean pause that is not exceeded.

    Raises:
        ValueError: A value out of range.
    """

    attempts: int = 4
    first_delay_seconds: float = 0.1
    max_delay_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts is {self.attempts}; use 1 for no retry")
        for name in ("first_delay_seconds", "max_delay_seconds"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; use 0 or more")


def call_with_retries(
    attempt: Callable[[float], Result],
    timeout_seconds: float,
    policy: RetryPolicy,
    *,
    pause: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
    jitter: Callable[[float, float], float] = random.uniform,
) -> Result:
    """Calls a function until it is not UnavailableError that it raises.

    Args:
        attempt: Takes the seconds that it may take.
        timeout_seconds: Seconds for all tries and the pauses between them.
        now: Seconds of a clock that only goes forward.

    Raises:
        UnavailableError: The last try's; also when the next one would begin too late.
        DeadlineError: There is no time at all.
    """
    deadline = now() + timeout_seconds
    for number in range(policy.attempts):
        remaining = deadline - now()
        if remaining <= 0:
            raise DeadlineError(f"no answer within {timeout_seconds:g} s")
        try:
            return attempt(remaining)
        except UnavailableError as error:
            # Beyond 2**62 a float would overflow at last; the maximum is reached long before.
            mean = min(policy.first_delay_seconds * 2 ** min(number, 62), policy.max_delay_seconds)
            # At random, so that many clients do not come back at one moment. What the server asks
            # for is the least, so that its load is not brought back early.
            delay = max(mean * jitter(0.5, 1.5), error.retry_after_seconds or 0.0)
            is_last = number == policy.attempts - 1
            if is_last or now() + delay >= deadline:
                raise
        pause(delay)
    raise AssertionError("attempts is at least 1")
