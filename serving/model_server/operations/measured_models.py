"""Measures how long models are warmed up, and how long they run for the requests."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from darkroom.serving.model_server.errors import Code, find_code
from darkroom.serving.model_server.models.leases import Servable
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.request_record import CURRENT


class MeasuredServable:
    """A servable of which each run for a request is measured, if it succeeds.

    With batching, that has the time in the queue in it, as in TensorFlow Serving.
    """

    def __init__(self, servable: Servable, metrics: Metrics) -> None:
        self.signature_defs = servable.signature_defs
        self._servable = servable
        self._metrics = metrics

    async def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Runs a signature."""
        started = time.perf_counter()
        outputs = await self._servable.run(signature_name, inputs)
        record = CURRENT.get()
        if record is not None and record.api:
            seconds = time.perf_counter() - started
            self._metrics.observe_runtime(record.model_name, record.api, seconds)
        return outputs

    def close(self) -> None:
        """Lets go of what the model holds."""
        self._servable.close()


def measure_warmup(metrics: Metrics, path: Path, warm_up: Callable[[], int]) -> None:
    """Warms a version up, and counts that if there are requests to warm it up with.

    `warm_up` returns how many requests that took; what it raises is counted and raised.
    """
    started = time.perf_counter()
    try:
        records = warm_up()
    except Exception as error:
        code = find_code(error)
        metrics.observe_warmup(str(path), time.perf_counter() - started, 0, code)
        raise
    if records:
        metrics.observe_warmup(str(path), time.perf_counter() - started, records, Code.OK)
