"""A request that the model fails on fails alone, and costs no more than a bounded amount."""

import asyncio

import numpy as np
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from darkroom.serving.model_server.batching.queues import Task
from darkroom.serving.model_server.batching.runner import BatchRunner
from darkroom.serving.model_server.errors import Code, StatusError
from darkroom.serving.model_server.operations.metrics import Metrics


class Observed(Metrics):
    def __init__(self):
        self.batches = []

    def observe_batch(self, *observed):
        self.batches.append(observed)


class Model:
    """Answers its input, and fails on values below 0."""

    def __init__(self):
        self.sizes = []

    def __call__(self, inputs, deadline):
        self.sizes.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise ValueError("negative")
        return {"y": inputs["x"]}


def process(model, values, cancelled=(), **options):
    """Returns the answer or error of each request of one row, computed as one batch."""

    async def run():
        loop = asyncio.get_running_loop()
        tasks = [Task({"x": np.array([v])}, 1, loop.create_future(), 0.0) for v in values]
        for index in cancelled:
            tasks[index].future.cancel()
        BatchRunner(model, **{"metrics": Metrics(), **options}).process(tasks)
        futures = [task.future for task in tasks]
        return await asyncio.gather(*futures, return_exceptions=True)

    return asyncio.run(run())


def failed(answers):
    return [i for i, answer in enumerate(answers) if isinstance(answer, StatusError)]


def test_only_the_guilty_request_fails():
    model = Model()
    values = [*range(40), -1, *range(41, 64)]
    answers = process(model, values)
    assert failed(answers) == [40]
    assert answers[40].code is Code.INTERNAL
    assert answers[40].message == "ValueError: negative"
    good = [answer["y"].tolist() for i, answer in enumerate(answers) if i != 40]
    assert good == [[value] for value in values if value != -1]
    assert len(model.sizes) == 1 + 8 + 8


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=70))
def test_cost_of_failing_requests_is_bounded(values):
    model = Model()
    answers = process(model, values)
    assert failed(answers) == [i for i, value in enumerate(values) if value < 0]
    assert sum(model.sizes) <= 3 * len(values)
    assert len(model.sizes) <= 2 * len(values) + 1


def test_each_failing_request_has_an_error_of_its_own():
    first, second = process(Model(), [-1, -2])
    assert first is not second


def test_what_no_batch_can_do_is_tried_once():
    calls = []

    def total(inputs, deadline):
        calls.append(inputs)
        return {"total": np.float32(1)}

    answers = process(total, range(16))
    assert len(calls) == 1
    assert {(a.code, a.message) for a in answers} == {
        (Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
    }


def test_request_that_leaves_out_rows_of_the_answer_fails_alone():
    answers = process(lambda inputs, deadline: {"y": inputs["x"][inputs["x"] > 0]}, [1, 2, 0, 3])
    assert failed(answers) == [2]
    assert "0th dimension does not equal" in answers[2].message


def test_nobody_is_computed_for_who_does_not_wait():
    model = Model()
    answers = process(model, range(4), cancelled=(1, 2))
    assert model.sizes == [2]
    assert [type(answer) for answer in answers[1:3]] == [asyncio.CancelledError] * 2
    assert process(model, range(2), cancelled=(0, 1))
    assert model.sizes == [2]


def test_request_given_up_while_its_batch_failed_is_not_computed_again():
    model = Model()
    futures = []

    def give_up(inputs, deadline):
        if not model.sizes:
            futures[1].cancel()
        return model(inputs, deadline)

    async def run():
        loop = asyncio.get_running_loop()
        tasks = [Task({"x": np.array([v])}, 1, loop.create_future(), 0.0) for v in (-1, 1)]
        futures.extend(task.future for task in tasks)
        BatchRunner(give_up, Metrics()).process(tasks)
        await asyncio.wait(futures)

    asyncio.run(run())
    assert model.sizes == [2, 1]
    assert "negative" in str(futures[0].exception())


@pytest.mark.parametrize(
    "error", [StopIteration("end"), MemoryError(), StatusError(Code.ABORTED, "")]
)
def test_every_error_reaches_the_one_who_waits(error):
    def fail(inputs, deadline):
        raise error

    (answer,) = process(fail, [1])
    assert isinstance(answer, StatusError)
    assert answer.code is getattr(error, "code", Code.INTERNAL)


def test_batch_is_padded_to_an_allowed_size_also_when_it_is_computed_again():
    model = Model()
    answers = process(model, [1, 2, -3, 4, 5], allowed_sizes=(2, 4, 8))
    assert failed(answers) == [2]
    assert set(model.sizes) <= {2, 4, 8}


def test_answers_of_a_batch_wake_the_loop_once():
    wakes = []

    async def run():
        loop = asyncio.get_running_loop()
        call = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *args: (wakes.append(args), call(*args))
        tasks = [Task({"x": np.zeros(1)}, 1, loop.create_future(), 0.0) for _ in range(50)]
        BatchRunner(Model(), Metrics()).process(tasks)
        await asyncio.gather(*(task.future for task in tasks))

    asyncio.run(run())
    assert len(wakes) == 1


@pytest.mark.parametrize("create_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_loop_that_is_closed_is_no_error(create_loop):
    loop = create_loop()
    task = Task({"x": np.zeros(1)}, 1, loop.create_future(), 0.0)
    loop.close()
    model = Model()
    BatchRunner(model, Metrics()).process([task])
    assert model.sizes == [1]
    assert not task.future.done()


def test_batches_are_counted_with_padding_and_waiting_times():
    metrics = Observed()
    process(Model(), [1, 2, 3], allowed_sizes=(4,), metrics=metrics, clock=lambda: 2.5)
    assert metrics.batches == [(4, 1, [2.5] * 3, [1] * 3)]


def test_requests_that_are_computed_again_are_counted_as_waiting_once():
    metrics = Observed()
    process(Model(), [1, -2], metrics=metrics, clock=lambda: 1.0)
    assert [len(waited) for _, _, waited, _ in metrics.batches] == [2, 0, 0]
