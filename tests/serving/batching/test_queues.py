"""Which requests share a batch, when a batch is due, and when there is no more room."""

import contextlib
import math
from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.serving.model_server.batching.parameters import BatchingParameters
from darkroom.serving.model_server.batching.queues import BatchQueue
from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError


class Waiting:
    """A queue whose time is what the test says."""

    def __init__(self, **parameters):
        self.queue = BatchQueue(BatchingParameters(**parameters), process=lambda tasks: None)

    def add(self, rows, now=0.0, width=1, dtype=np.float32):
        request = self.queue.check({"x": np.zeros((rows, width), dtype)})
        return self.queue.add(request, Future, now)

    def take(self, now=0.0):
        """Returns the rows of each task of the next batch that is due."""
        batch = self.queue.take(now)
        return batch and [task.rows for task in batch.tasks]


def test_batch_is_due_when_its_oldest_request_has_waited_long_enough():
    waiting = Waiting(batch_timeout_micros=2_000_000)
    waiting.add(1, now=10.0)
    waiting.add(1, now=11.5)
    assert waiting.queue.find_due_time() == 12.0
    assert waiting.take(now=11.9) is None
    assert waiting.take(now=12.0) == [1, 1]
    assert waiting.queue.find_due_time() == math.inf


def test_without_time_limit_a_request_is_due_at_once():
    waiting = Waiting()
    waiting.add(1, now=10.0)
    assert waiting.take(now=10.0) == [1]


def test_full_batch_is_due_at_once():
    waiting = Waiting(max_batch_size=4, batch_timeout_micros=2_000_000)
    waiting.add(3)
    assert waiting.take() is None
    waiting.add(1)
    assert waiting.queue.find_due_time() == -math.inf
    assert waiting.take() == [3, 1]


def test_request_that_does_not_fit_closes_the_batch_and_opens_another_one():
    waiting = Waiting(max_batch_size=4, batch_timeout_micros=2_000_000)
    waiting.add(3)
    waiting.add(2)
    assert waiting.take() == [3]
    assert waiting.take() is None


def test_only_a_new_or_a_full_batch_is_news():
    waiting = Waiting(max_batch_size=4, batch_timeout_micros=2_000_000)
    assert [waiting.add(rows)[1] for rows in (1, 1, 2, 3, 3)] == [True, False, True, True, True]


@pytest.mark.parametrize("other", [{"width": 2}, {"dtype": np.int32}])
def test_inputs_of_other_shapes_or_types_wait_in_batches_of_their_own(other):
    waiting = Waiting()
    waiting.add(1)
    waiting.add(2, **other)
    waiting.add(3)
    assert [waiting.take(), waiting.take(), waiting.take()] == [[1, 3], [2], None]


def test_other_shapes_share_a_batch_where_they_are_padded():
    waiting = Waiting(pad_variable_length_inputs=True)
    waiting.add(1)
    waiting.add(2, width=2)
    assert waiting.take() == [1, 2]


def test_batch_of_a_rare_shape_does_not_wait_behind_full_ones_of_a_frequent_one():
    waiting = Waiting(max_batch_size=2, batch_timeout_micros=1_000_000)
    waiting.add(1, now=0.0, width=9)
    for _ in range(3):
        waiting.add(2, now=0.5)
    assert waiting.take(now=0.5) == [2]
    assert waiting.take(now=1.0) == [1], "it came first and its time is over"
    assert waiting.take(now=1.0) == [2]


def test_closed_queue_is_due_at_once():
    waiting = Waiting(batch_timeout_micros=2_000_000)
    waiting.add(1)
    waiting.queue.close()
    assert waiting.queue.find_due_time() == -math.inf
    assert waiting.take() == [1]


def test_request_that_is_too_large_is_refused_even_with_splitting():
    for splitting in (False, True):
        waiting = Waiting(max_batch_size=4, enable_large_batch_splitting=splitting)
        with pytest.raises(InvalidArgument) as refused:
            waiting.add(5)
        assert refused.value.message == "Task size 5 is larger than maximum input batch size 4"


def test_full_queue_is_unavailable_until_a_thread_takes_a_batch():
    waiting = Waiting(max_batch_size=4, max_enqueued_batches=2)
    for rows in (3, 3, 1):
        waiting.add(rows)
    with pytest.raises(StatusError) as refused:
        waiting.add(1)
    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.message == (
        "The batch scheduling queue to which this task was submitted is full; currently 2 batches "
        "enqueued and max_enqueued_batches is 2"
    )
    waiting.take()
    waiting.add(1)


def test_other_shapes_get_no_more_room():
    waiting = Waiting(max_batch_size=4, max_enqueued_batches=2)
    waiting.add(1, width=1)
    waiting.add(1, width=2)
    with pytest.raises(StatusError, match="2 batches enqueued"):
        waiting.add(1, width=3)
    waiting.add(1, width=2)


def test_requests_without_rows_fill_a_queue_as_well():
    waiting = Waiting(max_batch_size=2, max_enqueued_batches=1)
    waiting.add(0)
    waiting.add(0)
    with pytest.raises(StatusError, match="is full"):
        waiting.add(0)
    assert waiting.take() == [0, 0]


def test_no_batches_at_all_means_one_as_in_tensorflow_serving():
    waiting = Waiting(max_batch_size=2, max_enqueued_batches=0)
    waiting.add(2)
    with pytest.raises(StatusError, match="max_enqueued_batches is 1"):
        waiting.add(1)


SPLITTING = {"enable_large_batch_splitting": True, "max_execution_batch_size": 4}


def test_large_request_fills_the_open_batch_and_then_new_ones():
    waiting = Waiting(max_batch_size=20, **SPLITTING)
    waiting.add(3)
    futures, _ = waiting.add(10)
    assert len(futures) == 4
    assert [waiting.take() for _ in range(5)] == [[3, 1], [4], [4], [1], None]


def test_request_that_fits_is_not_split():
    waiting = Waiting(max_batch_size=20, **SPLITTING)
    assert len(waiting.add(4)[0]) == 1
    assert len(waiting.add(3)[0]) == 1
    assert len(waiting.add(2)[0]) == 2


def test_request_that_need_not_be_split_is_not_where_shapes_are_padded():
    waiting = Waiting(max_batch_size=20, pad_variable_length_inputs=True, **SPLITTING)
    waiting.add(3)
    assert len(waiting.add(2)[0]) == 1
    assert len(waiting.add(5)[0]) == 2
    assert [waiting.take() for _ in range(5)] == [[3], [4], [2], [1], None]


def test_large_request_is_refused_as_a_whole_where_room_is_for_a_part_only():
    waiting = Waiting(max_batch_size=20, max_enqueued_batches=3, **SPLITTING)
    waiting.add(3)
    with pytest.raises(StatusError) as refused:
        waiting.add(10)
    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.message.startswith(
        "The batch scheduling queue to which this task was submitted is full; task size is 10 but "
        "scheduling capacity is only 9 "
    )
    assert waiting.take() == [3]
    waiting.add(10)
    with pytest.raises(StatusError, match="task size is 0"):
        [waiting.add(0) for _ in range(3)]


ADD = st.tuples(st.integers(0, 9), st.integers(1, 2))
TAKE = st.none()


@given(
    st.lists(st.one_of(ADD, TAKE), max_size=40),
    st.integers(1, 9),
    st.integers(1, 4),
    st.booleans(),
    st.integers(0, 5),
)
def test_whatever_comes_goes_out_once_in_order_and_within_the_limits(
    steps, limit, batches, splitting, timeout
):
    waiting = Waiting(
        max_batch_size=9 if splitting else limit,
        max_execution_batch_size=limit,
        enable_large_batch_splitting=splitting,
        max_enqueued_batches=batches,
        batch_timeout_micros=timeout * 1_000_000,
    )
    accepted = {1: [], 2: []}
    taken = {1: [], 2: []}

    def note(batch):
        assert sum(task.rows for task in batch.tasks) <= limit
        widths = {task.inputs["x"].shape[1] for task in batch.tasks}
        assert len(widths) == 1
        taken[widths.pop()].extend(task.future for task in batch.tasks)

    for now, step in enumerate(steps):
        if step is None:
            due = waiting.queue.find_due_time()
            batch = waiting.queue.take(now)
            assert (batch is not None) == (due <= now)
            if batch is not None:
                note(batch)
        else:
            rows, width = step
            with contextlib.suppress(StatusError):
                accepted[width] += waiting.add(rows, now, width)[0]
        assert len(waiting.queue) <= batches
    while (batch := waiting.queue.take(math.inf)) is not None:
        note(batch)
    assert taken == accepted
