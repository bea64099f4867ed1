"""Trying again while a server is unavailable, within one deadline."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from serving.client.errors import DeadlineError, UnavailableError

Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon to try again.

    Args:
        attempts: How many tries in all, at least 1.
        first_delay_seconds: Mean pause after the first try; each next one is twice as long.

    Raises:
        ValueError: A value out of range.
    """

    attempts: int = 4
    first_delay_seconds: float = 0.1

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts is {self.attempts}; use 1 for no retry")
        if self.first_delay_seconds < 0:
            raise ValueError(f"first_delay_seconds is {self.first_delay_seconds}; use 0 or more")


def call_with_retries(
    attempt: Callable[[float], Result], timeout_seconds: float, policy: RetryPolicy
) -> Result:
    """Calls a function until it is not UnavailableError that it raises.

    Args:
        attempt: Takes the seconds that it may take.
        timeout_seconds: Seconds for all tries and the pauses between them.
        policy: How often and how soon.

    Raises:
        UnavailableError: The last try's.
        DeadlineError: The time is over.
    """
    deadline = time.monotonic() + timeout_seconds
    for number in range(policy.attempts):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineError(f"no answer within {timeout_seconds:g} s")
        try:
            return attempt(remaining)
        except UnavailableError:
            # Jitter keeps many clients from coming back at the same moment.
            delay = policy.first_delay_seconds * 2**number * random.uniform(0.5, 1.5)
            is_last = number == policy.attempts - 1
            if is_last or time.monotonic() + delay >= deadline:
                raise
            time.sleep(delay)
    raise AssertionError("attempts is at least 1")
