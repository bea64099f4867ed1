import asyncio
from pathlib import Path

import numpy as np
import pytest

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.operations.measured_models import (
    MeasuredServable,
    measure_warmup,
)
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.observer import Observer
from darkroom.serving.model_server.operations.request_record import CURRENT, RequestRecord


class Sleeper:
    """Takes as long as its input says; a negative time fails."""

    signature_defs = {"serving_default": object()}
    closed = False

    async def run(self, signature_name, inputs):
        await asyncio.sleep(abs(float(inputs["seconds"])))
        if inputs["seconds"] < 0:
            raise ValueError(signature_name)
        return dict(inputs)

    def close(self):
        self.closed = True


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def servable(metrics):
    return MeasuredServable(Sleeper(), metrics)


def text_of(metrics):
    return metrics.render().decode()


async def answer(observer, servable, api, model_name, seconds):
    record = RequestRecord("REST", api, model_name)
    observer.begin(record)
    await asyncio.sleep(0)
    await servable.run("serving_default", {"seconds": np.float32(seconds)})
    assert CURRENT.get() is record
    observer.end(record)


def test_each_run_counts_for_the_request_whose_task_waits_for_it(metrics, servable):
    async def answer_all():
        observer = Observer(metrics)
        requests = [("Predict", "a", 0.03), ("Classify", "a", 0.01), ("Predict", "b", 0.02)]
        await asyncio.gather(*(answer(observer, servable, *request) for request in requests * 2))

    asyncio.run(answer_all())
    text = text_of(metrics)
    for labels, seconds in (
        ('model_name="a",API="Predict",runtime="TF1"', 0.06),
        ('model_name="a",API="Classify",runtime="TF1"', 0.02),
        ('model_name="b",API="Predict",runtime="TF1"', 0.04),
    ):
        name = ":tensorflow:serving:runtime_latency"
        assert f"{name}_count{{{labels}}} 2\n" in text
        total = float(text.split(f"{name}_sum{{{labels}}} ")[1].split("\n")[0])
        assert seconds * 1e6 <= total < 30e6


def test_failed_runs_and_runs_for_no_request_are_not_measured(metrics, servable):
    with pytest.raises(ValueError, match="serving_default"):
        asyncio.run(answer(Observer(metrics), servable, "Predict", "a", -0.001))
    asyncio.run(servable.run("serving_default", {"seconds": np.float32(0)}))
    assert "runtime_latency_count{" not in text_of(metrics)


def test_everything_else_is_the_model_s(servable):
    assert servable.signature_defs is Sleeper.signature_defs
    servable.close()
    assert servable._servable.closed


def test_warm_up_is_measured_with_its_records(metrics):
    measure_warmup(metrics, Path("/models/digits/1"), lambda: 12)
    text = text_of(metrics)
    labels = '{model_path="/models/digits/1",status="OK"}'
    assert f":tensorflow:serving:model_warmup_latency_count{labels} 1\n" in text
    assert f":tensorflow:serving:model_warmup_records_read{labels} 12\n" in text


def test_version_that_has_no_warm_up_requests_counts_none(metrics):
    measure_warmup(metrics, Path("/models/digits/1"), lambda: 0)
    assert "model_warmup_latency_count{" not in text_of(metrics)


def test_failed_warm_up_is_counted_and_still_fails(metrics):
    def fail():
        raise InvalidArgument("no such input")

    with pytest.raises(InvalidArgument, match="no such input"):
        measure_warmup(metrics, Path("/models/digits/1"), fail)
    labels = '{model_path="/models/digits/1",status="INVALID_ARGUMENT"}'
    assert f"model_warmup_latency_count{labels} 1\n" in text_of(metrics)
