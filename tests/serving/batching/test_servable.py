"""What those who ask see: their own rows, in order, whatever else is in the batch."""

import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.serving.model_server.batching.batcher import POOL_NAME, Batcher
from darkroom.serving.model_server.batching.parameters import VERSION_FILE, BatchingParameters
from darkroom.serving.model_server.batching.scheduler import BatchScheduler
from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    StartError,
    StatusError,
)
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.tests.serving.batching.fakes import (
    HOUR,
    PATIENCE_SECONDS,
    Doubling,
    all_busy,
    ask,
    batch,
    rows,
)

SPLITTING = {"enable_large_batch_splitting": True, "max_execution_batch_size": 4}


@pytest.fixture(scope="module")
def shared():
    """One thread for all examples of a property."""
    scheduler = BatchScheduler(1)
    yield scheduler
    scheduler.close()


def create_inputs(index, count, width, dtype):
    values = np.arange(count * width).reshape(count, width) + 100 * index
    return {"x": values.astype(dtype)}


REQUEST = st.tuples(st.integers(0, 6), st.integers(1, 3), st.sampled_from([np.float32, np.int64]))
LIMITS = st.sampled_from(
    [
        {"max_batch_size": 6},
        {"max_batch_size": 64},
        {"max_batch_size": 8, "allowed_batch_sizes": (2, 6, 8)},
        {"max_batch_size": 8, **SPLITTING},
        {"max_batch_size": 6, "allowed_batch_sizes": (1, 4, 6), **SPLITTING},
    ]
)


@settings(deadline=None)
@given(requests=st.lists(REQUEST, min_size=1, max_size=12), limits=LIMITS, pad=st.booleans())
def test_everybody_gets_their_own_rows_in_order(shared, requests, limits, pad):
    model = Doubling()
    servable = batch(
        model, shared, max_enqueued_batches=100, pad_variable_length_inputs=pad, **limits
    )
    sent = [create_inputs(index, *request) for index, request in enumerate(requests)]
    answers = ask(servable, shared, *sent)
    for inputs, answer in zip(sent, answers, strict=True):
        expected = inputs["x"] * 2
        assert answer["y"].dtype == expected.dtype
        np.testing.assert_array_equal(answer["y"][:, : expected.shape[1]], expected)
        if not pad:
            assert answer["y"].shape == expected.shape
    largest = limits.get("max_execution_batch_size", limits["max_batch_size"])
    assert max(model.sizes) <= largest
    if allowed := limits.get("allowed_batch_sizes"):
        assert set(model.sizes) <= {0, *allowed}
    kinds = {(inputs["x"].dtype, inputs["x"].shape[1]) for inputs in sent}
    if not pad:
        # A batch has one shape and type; those of the model's batches are those that were sent.
        assert {(b.dtype, b.shape[1]) for b in model.batches} == kinds


def test_shorter_inputs_are_padded_where_that_is_wanted(scheduler):
    model = Doubling()
    servable = batch(model, scheduler, pad_variable_length_inputs=True)
    long, short = {"x": np.array([[1, 2, 3]])}, {"x": np.array([[5]])}
    answers = ask(servable, scheduler, long, short)
    assert model.batches[0].tolist() == [[1, 2, 3], [5, 5, 5]]
    assert [answer["y"].tolist() for answer in answers] == [[[2, 4, 6]], [[10, 10, 10]]]


def test_parts_of_a_request_are_not_padded_differently(scheduler):
    servable = batch(
        Doubling(), scheduler, max_batch_size=20, pad_variable_length_inputs=True, **SPLITTING
    )
    wide, large = np.ones((1, 3)), np.ones((6, 2))
    answers = ask(servable, scheduler, {"x": wide}, {"x": large}, {"x": wide})
    assert [answer["y"].shape for answer in answers] == [(1, 3), (6, 2), (1, 3)]


def test_signatures_do_not_share_batches(scheduler):
    model = Doubling()
    servable = batch(model, scheduler)

    async def ask_both():
        with all_busy(scheduler):
            asking = [
                asyncio.ensure_future(servable.run(name, rows(1))) for name in ("double", "other")
            ]
            await asyncio.sleep(0)
        await asyncio.gather(*asking)

    asyncio.run(ask_both())
    assert model.sizes == [1, 1]


def test_bad_request_fails_alone(scheduler):
    answers = ask(batch(Doubling(), scheduler), scheduler, rows(1), rows(-1), rows(3))
    assert [answers[0]["y"].tolist(), answers[2]["y"].tolist()] == [[2], [6]]
    assert isinstance(answers[1], StatusError)
    assert answers[1].message == "ValueError: negative"


def test_inputs_that_are_no_rows_do_not_reach_the_queue(scheduler):
    model = Doubling()
    answers = ask(batch(model, scheduler), scheduler, {"x": np.zeros(())}, rows(2))
    assert isinstance(answers[0], InvalidArgument)
    assert answers[1]["y"].tolist() == [4]
    assert model.sizes == [1]


def test_unknown_signature(scheduler):
    (answer,) = ask(batch(Doubling(), scheduler), scheduler, rows(1), name="none")
    assert isinstance(answer, FailedPrecondition)
    assert answer.message == 'Serving signature key "none" not found.'


def test_full_queue_refuses_and_keeps_what_it_has(scheduler):
    servable = batch(Doubling(), scheduler, max_batch_size=2, max_enqueued_batches=2)
    answers = ask(servable, scheduler, rows(1, 2), rows(3, 4), rows(5), rows(6))
    assert [answer["y"].tolist() for answer in answers[:2]] == [[2, 4], [6, 8]]
    assert {answer.code for answer in answers[2:]} == {Code.UNAVAILABLE}
    assert "to which this task was submitted is full" in answers[2].message


def test_large_request_is_computed_in_parts_and_answered_whole(scheduler):
    model = Doubling()
    servable = batch(model, scheduler, max_batch_size=20, **SPLITTING)
    first, large = ask(servable, scheduler, rows(7), rows(*range(10)))
    assert first["y"].tolist() == [14]
    assert large["y"].tolist() == [2 * i for i in range(10)]
    assert model.sizes == [4, 4, 3]
    assert model.batches[0].tolist() == [7, 0, 1, 2], "its first part shares the open batch"


def test_failed_part_fails_the_request_and_saves_the_rest_of_it(scheduler):
    given_up = threading.Event()

    class Waiting(Doubling):
        def run(self, name, inputs, deadline):
            if len(self.batches) == 3:
                assert given_up.wait(PATIENCE_SECONDS)
            return super().run(name, inputs, deadline)

    model = Waiting()
    servable = batch(model, scheduler, max_batch_size=400, max_enqueued_batches=100, **SPLITTING)

    async def ask_three():
        with all_busy(scheduler):
            requests = rows(7), rows(-1, *range(298)), rows(8)
            asking = [asyncio.ensure_future(servable.run("double", r)) for r in requests]
            asking[1].add_done_callback(lambda _: given_up.set())
            await asyncio.sleep(0)
        return await asyncio.gather(*asking, return_exceptions=True)

    neighbour, large, small = asyncio.run(ask_three())
    assert [neighbour["y"].tolist(), small["y"].tolist()] == [[14], [16]]
    assert isinstance(large, StatusError)
    # One batch that fails, its two requests again, the part that was under way if any was, and the
    # last: 73 parts are never begun.
    assert model.sizes in ([4, 1, 3, 4, 1], [4, 1, 3, 1])


def test_large_request_that_is_given_up_is_dropped_whole(scheduler):
    model = Doubling()
    servable = batch(model, scheduler, max_batch_size=20, **SPLITTING)

    async def give_up():
        with all_busy(scheduler):
            asking = asyncio.ensure_future(servable.run("double", rows(*range(20))))
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        return await servable.run("double", rows(1))

    assert asyncio.run(give_up())["y"].tolist() == [2]
    assert model.sizes == [1]


def test_closed_version_computes_what_waits(scheduler):
    model = Doubling()
    servable = batch(model, scheduler, batch_timeout_micros=HOUR)

    async def close():
        asking = asyncio.ensure_future(servable.run("double", rows(1)))
        await asyncio.sleep(0)
        servable.close()
        return await asyncio.wait_for(asking, PATIENCE_SECONDS)

    assert asyncio.run(close())["y"].tolist() == [2]


def create_batcher(tmp_path, text=None, **options):
    file = None
    if text is not None:
        file = tmp_path / "batching.txt"
        file.write_text(text)
    config = ServerConfig(
        model_base_path=tmp_path, enable_batching=True, batching_parameters_file=file, **options
    )
    return Batcher(config, Metrics())


def test_server_without_a_file_uses_the_defaults(tmp_path, monkeypatch):
    names = []
    monkeypatch.setattr(
        "darkroom.serving.model_server.batching.batcher.BatchScheduler",
        lambda count, name: names.append((count, name)),
    )
    create_batcher(tmp_path)
    assert names == [(BatchingParameters().num_batch_threads, POOL_NAME)]


def test_server_with_a_bad_file_does_not_start(tmp_path):
    with pytest.raises(StartError, match=r"batching\.txt: max_batch_size=-4"):
        create_batcher(tmp_path, "max_batch_size { value: -4 }")


ONE = "max_batch_size { value: 1 } num_batch_threads { value: 1 }"


def test_parameters_of_a_version_replace_the_servers(tmp_path):
    batcher = create_batcher(tmp_path, ONE, enable_per_model_batching_parameters=True)
    assert batcher.create_servable(Doubling(), tmp_path) is None, "no file, no batching"
    (tmp_path / VERSION_FILE).write_text("max_batch_size { value: 3 }")
    servable = batcher.create_servable(Doubling(), tmp_path)
    assert servable is not None
    assert asyncio.run(servable.run("double", rows(1, 2, 3)))["y"].tolist() == [2, 4, 6]
    with pytest.raises(InvalidArgument, match="maximum input batch size 3"):
        asyncio.run(servable.run("double", rows(1, 2, 3, 4)))
    (tmp_path / VERSION_FILE).write_text("max_batch_size {}")
    with pytest.raises(InvalidArgument, match="max_batch_size=0"):
        batcher.create_servable(Doubling(), tmp_path)
    batcher.close()


def test_parameters_of_a_version_are_left_alone_where_they_are_not_enabled(tmp_path):
    (tmp_path / VERSION_FILE).write_text("not even a message")
    batcher = create_batcher(tmp_path, ONE)
    servable = batcher.create_servable(Doubling(), tmp_path)
    assert servable is not None
    with pytest.raises(InvalidArgument, match="maximum input batch size 1"):
        asyncio.run(servable.run("double", rows(1, 2)))
    batcher.close()
