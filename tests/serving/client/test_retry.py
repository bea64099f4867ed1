"""When and how often the client tries again, by a clock that the test sets."""

import itertools

import pytest

from darkroom.serving.client import DeadlineError, RequestError, RetryPolicy, UnavailableError
from darkroom.serving.client.retry import call_with_retries


class Clock:
    def __init__(self):
        self.time = 100.0
        self.pauses = []

    def now(self):
        return self.time

    def pause(self, seconds):
        self.pauses.append(seconds)
        self.time += seconds


@pytest.fixture
def clock():
    return Clock()


def call(clock, outcomes, timeout_seconds=60, policy=None, jitter=1.0, seconds_a_try=0.0):
    """Tries against a list of errors and an answer; returns the answer and the time limits."""
    limits = []
    outcomes = iter(outcomes)

    def attempt(seconds):
        limits.append(seconds)
        clock.time += seconds_a_try
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    answer = call_with_retries(
        attempt, timeout_seconds, policy or RetryPolicy(), pause=clock.pause, now=clock.now,
        jitter=lambda low, high: jitter,
    )  # fmt: skip
    return answer, limits


def unavailable(retry_after=None):
    return UnavailableError("not yet", retry_after)


def test_pauses_double_and_the_time_limit_shrinks(clock):
    errors = [unavailable() for _ in range(3)]
    answer, limits = call(clock, [*errors, "answer"], seconds_a_try=1)
    assert answer == "answer"
    assert clock.pauses == pytest.approx([0.1, 0.2, 0.4])
    assert limits == pytest.approx([60, 58.9, 57.7, 56.3])


def test_pauses_do_not_grow_beyond_their_maximum(clock):
    policy = RetryPolicy(attempts=1001, first_delay_seconds=1, max_delay_seconds=4)
    call(clock, [*(unavailable() for _ in range(1000)), "answer"], 1e6, policy)
    assert clock.pauses[:4] == [1, 2, 4, 4]
    assert set(clock.pauses[4:]) == {4}


def test_jitter_is_a_factor_of_the_pause(clock):
    call(clock, [unavailable(), "answer"], jitter=0.5)
    assert clock.pauses == pytest.approx([0.05])


def test_two_clients_do_not_come_back_at_the_same_moment():
    pauses = []
    for _ in range(20):
        outcomes = iter([unavailable(), "answer"])

        def attempt(seconds, outcomes=outcomes):
            outcome = next(outcomes)
            if isinstance(outcome, Exception):
                raise outcome

        call_with_retries(attempt, 60, RetryPolicy(), pause=pauses.append)
    assert len(set(pauses)) == 20
    assert all(0.05 <= pause <= 0.15 for pause in pauses)


def test_last_error_is_reported_after_the_last_try(clock):
    errors = [UnavailableError(str(number)) for number in range(9)]
    with pytest.raises(UnavailableError, match=r"^2$"):
        call(clock, errors, policy=RetryPolicy(attempts=3))
    assert len(clock.pauses) == 2


def test_no_try_begins_after_the_deadline(clock):
    policy = RetryPolicy(attempts=1000, first_delay_seconds=1, max_delay_seconds=1)
    with pytest.raises(UnavailableError):
        call(clock, itertools.repeat(unavailable()), 5.5, policy)
    assert clock.pauses == [1] * 5
    assert clock.time == 105


def test_no_time_at_all(clock):
    with pytest.raises(DeadlineError, match="no answer within 0 s"):
        call(clock, ["answer"], 0)


def test_server_that_says_when_to_come_back_is_heeded(clock):
    call(clock, [unavailable(7), unavailable(0), "answer"])
    assert clock.pauses == pytest.approx([7, 0.2])


def test_server_that_asks_for_more_time_than_there_is_is_not_waited_for(clock):
    with pytest.raises(UnavailableError):
        call(clock, [unavailable(61), "answer"])
    assert clock.pauses == []


@pytest.mark.parametrize("error", [RequestError("a", "INTERNAL", "no"), DeadlineError("late")])
def test_other_errors_are_not_tried_again(clock, error):
    with pytest.raises(type(error)):
        call(clock, [error, "answer"])
    assert clock.pauses == []


@pytest.mark.parametrize(
    "options",
    [{"attempts": 0}, {"first_delay_seconds": -1}, {"max_delay_seconds": float("nan")}],
)
def test_policy_is_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        RetryPolicy(**options)
