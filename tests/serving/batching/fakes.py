"""What the tests of batching share: models that cost nothing, and threads that are kept busy."""

import asyncio
import contextlib
import threading

import numpy as np

from darkroom.serving.model_server.batching.parameters import BatchingParameters
from darkroom.serving.model_server.batching.queues import BatchQueue
from darkroom.serving.model_server.batching.servable import BatchedServable
from darkroom.serving.model_server.operations.metrics import Metrics

PATIENCE_SECONDS = 20
"""How long a test waits for what must happen; it never takes this long."""
HOUR = 3_600_000_000
"""A time limit in microseconds that no test reaches."""


def rows(*values, dtype=np.float32):
    return {"x": np.array(values, dtype)}


class Doubling:
    """Answers twice its input, refuses negative ones, and notes what it was asked."""

    signature_defs = {"double": None, "other": None}

    def __init__(self):
        self.batches = []

    def run(self, name, inputs, deadline):
        self.batches.append(inputs["x"])
        if (inputs["x"] < 0).any():
            raise ValueError("negative")
        return {"y": inputs["x"] * 2}

    @property
    def sizes(self):
        return [len(batch) for batch in self.batches]


def batch(model, scheduler, metrics=None, **parameters):
    parameters = BatchingParameters(**parameters)
    return BatchedServable(model, scheduler, parameters, metrics or Metrics())


@contextlib.contextmanager
def all_busy(scheduler, threads=1):
    """Keeps the threads of a scheduler busy; to be entered in a running loop."""
    release = threading.Event()
    begun = threading.Semaphore(0)

    def process(tasks):
        begun.release()
        assert release.wait(PATIENCE_SECONDS)

    for _ in range(threads):
        scheduler.submit(BatchQueue(BatchingParameters(), process), rows(0))
    for _ in range(threads):
        assert begun.acquire(timeout=PATIENCE_SECONDS)
    try:
        yield
    finally:
        release.set()


def ask(servable, scheduler, *requests, name="double"):
    """Returns the answers or errors of requests that all come while no thread is free."""

    async def ask_all():
        with all_busy(scheduler):
            asking = [asyncio.ensure_future(servable.run(name, request)) for request in requests]
            await asyncio.sleep(0)
        return await asyncio.gather(*asking, return_exceptions=True)

    return asyncio.run(ask_all())
