"""The batch threads: when they start, whom they serve next, and how they end."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref

import pytest

from darkroom.serving.model_server.batching.parameters import BatchingParameters
from darkroom.serving.model_server.batching.queues import BatchQueue
from darkroom.serving.model_server.batching.scheduler import BatchScheduler
from darkroom.serving.model_server.errors import Code, StatusError
from darkroom.tests.serving.batching.fakes import (
    HOUR,
    PATIENCE_SECONDS,
    Doubling,
    all_busy,
    ask,
    batch,
    rows,
)


@pytest.fixture
def two_threads():
    scheduler = BatchScheduler(2)
    yield scheduler
    scheduler.close()


def wait(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE_SECONDS))


def test_lone_request_is_computed_at_once_without_time_limit(scheduler):
    assert wait(batch(Doubling(), scheduler).run("double", rows(1)))["y"].tolist() == [2]


def test_lone_request_waits_for_others_until_its_time_is_over(scheduler):
    servable = batch(Doubling(), scheduler, batch_timeout_micros=100_000)
    started = time.monotonic()
    wait(servable.run("double", rows(1)))
    assert time.monotonic() - started >= 0.1


def test_full_batch_does_not_wait(scheduler):
    model = Doubling()
    servable = batch(model, scheduler, batch_timeout_micros=HOUR, max_batch_size=3)

    async def ask_three():
        return await asyncio.gather(*(servable.run("double", rows(i)) for i in range(3)))

    answers = wait(ask_three())
    assert [answer["y"].tolist() for answer in answers] == [[0], [2], [4]]
    assert model.sizes == [3]


def test_requests_gather_while_no_thread_is_free(scheduler):
    model = Doubling()
    answers = ask(batch(model, scheduler), scheduler, rows(1, 2), rows(3), rows(4))
    assert [answer["y"].tolist() for answer in answers] == [[2, 4], [6], [8]]
    assert model.sizes == [4]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_thread_that_waits_for_one_queue_sees_an_earlier_batch_of_another(threads):
    scheduler = BatchScheduler(threads)
    patient = batch(Doubling(), scheduler, batch_timeout_micros=HOUR)
    hasty = batch(Doubling(), scheduler, batch_timeout_micros=20_000)

    async def ask_both():
        waiting = asyncio.ensure_future(patient.run("double", rows(1)))
        for _ in range(5):
            await hasty.run("double", rows(2))
            assert not waiting.done()
        patient.close()
        return await waiting

    assert wait(ask_both())["y"].tolist() == [2]
    scheduler.close()


def test_queue_with_much_to_do_gets_every_other_turn(scheduler):
    model = Doubling()
    busy = batch(model, scheduler, max_batch_size=1, max_enqueued_batches=100)
    other = batch(model, scheduler, max_batch_size=1)

    async def ask_both():
        with all_busy(scheduler):
            asking = [asyncio.ensure_future(busy.run("double", rows(1))) for _ in range(20)]
            asking += [asyncio.ensure_future(other.run("double", rows(7))) for _ in range(3)]
            await asyncio.sleep(0)
        await asyncio.gather(*asking)

    wait(ask_both())
    order = [int(inputs[0]) for inputs in model.batches]
    assert order == [1, 7, 1, 7, 1, 7] + [1] * 17


def test_as_many_batches_run_at_a_time_as_there_are_threads(two_threads):
    both = threading.Barrier(2)
    running, most = [], []

    class Meeting(Doubling):
        def run(self, name, inputs, deadline):
            running.append(name)
            both.wait(PATIENCE_SECONDS)
            most.append(len(running))
            both.wait(PATIENCE_SECONDS)
            running.remove(name)
            return super().run(name, inputs, deadline)

    servable = batch(Meeting(), two_threads, max_batch_size=1)

    async def ask_four():
        await asyncio.gather(*(servable.run("double", rows(i)) for i in range(4)))

    wait(ask_four())
    assert most == [2, 2, 2, 2]


def test_request_that_is_given_up_is_never_computed(scheduler):
    model = Doubling()
    servable = batch(model, scheduler)

    async def give_up():
        with all_busy(scheduler):
            kept = asyncio.ensure_future(servable.run("double", rows(1)))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(servable.run("double", rows(5)), timeout=0.01)
        await kept

    wait(give_up())
    assert [inputs.tolist() for inputs in model.batches] == [[1]]


def test_closing_computes_what_waits_and_ends_the_threads():
    scheduler = BatchScheduler(2)
    model = Doubling()
    servable = batch(model, scheduler, batch_timeout_micros=HOUR)

    async def close():
        asking = [asyncio.ensure_future(servable.run("double", rows(i))) for i in range(3)]
        await asyncio.sleep(0)
        scheduler.close(wait=False)
        answers = await asyncio.gather(*asking)
        with pytest.raises(StatusError, match="stopping") as refused:
            await servable.run("double", rows(1))
        assert refused.value.code is Code.UNAVAILABLE
        return answers

    assert len(wait(close())) == 3
    assert model.sizes == [3]
    scheduler.close()
    assert not [t for t in threading.enumerate() if t in scheduler._threads]


def test_closing_need_not_wait_for_a_batch_that_runs(scheduler):
    async def close():
        with all_busy(scheduler):
            scheduler.close(wait=False)

    wait(close())


def test_thread_outlives_a_loop_that_is_closed(scheduler):
    model = Doubling()
    servable = batch(model, scheduler)
    release = threading.Event()
    queue = BatchQueue(BatchingParameters(), lambda tasks: release.wait(PATIENCE_SECONDS))

    async def leave():
        scheduler.submit(queue, rows(0))
        asking = asyncio.ensure_future(servable.run("double", rows(1)))
        await asyncio.sleep(0)
        return asking

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    release.set()
    assert wait(servable.run("double", rows(3)))["y"].tolist() == [6]
    assert sum(model.sizes) == 2


def test_thread_that_waits_holds_on_to_no_arrays(scheduler):
    class Forgetful(Doubling):
        def run(self, name, inputs, deadline):
            return {"y": inputs["x"] + 1}

    servable = batch(Forgetful(), scheduler)
    inputs = rows(1, 2, 3)
    watched = weakref.ref(inputs["x"])
    wait(servable.run("double", inputs))
    del inputs
    # The answer may come before the thread is back from its batch; with the next one, it is.
    wait(servable.run("double", rows(1)))
    gc.collect()
    assert watched() is None


@pytest.mark.parametrize("threads", [1, 3])
def test_requests_from_several_loops_share_the_threads(threads):
    scheduler = BatchScheduler(threads)
    servable = batch(Doubling(), scheduler, max_enqueued_batches=1000)
    answers = []

    async def ask_many(first):
        values = range(first, first + 50)
        asked = await asyncio.gather(*(servable.run("double", rows(value)) for value in values))
        answers.append([answer["y"].tolist() for answer in asked] == [[2 * v] for v in values])

    callers = [threading.Thread(target=wait, args=(ask_many(100 * k),)) for k in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE_SECONDS)
    scheduler.close()
    assert answers == [True] * 4


def test_process_ends_although_nobody_closed_the_threads():
    script = """
import asyncio
from darkroom.serving.model_server.batching.scheduler import BatchScheduler
from darkroom.tests.serving.batching.fakes import HOUR, Doubling, batch, rows
async def ask(servable):
    waiting = asyncio.ensure_future(servable.run("double", rows(1)))
    await asyncio.sleep(0)
model = Doubling()
asyncio.run(ask(batch(model, BatchScheduler(2), batch_timeout_micros=HOUR)))
"""
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert (process.returncode, process.stderr) == (0, "")
