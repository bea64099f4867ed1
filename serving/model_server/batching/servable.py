"""A model whose requests are computed in batches."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from darkroom.serving.model_server.batching.merging import Outputs, join
from darkroom.serving.model_server.batching.parameters import BatchingParameters
from darkroom.serving.model_server.batching.queues import BatchQueue
from darkroom.serving.model_server.batching.runner import BatchRunner
from darkroom.serving.model_server.batching.scheduler import BatchScheduler
from darkroom.serving.model_server.errors import FailedPrecondition
from darkroom.serving.model_server.event_loop import call_by_size
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.servables.threaded import Model


class BatchedServable:
    """Puts the requests of each signature together, whichever protocol they came by.

    The threads are the scheduler's, shared with other models; so are the parameters of these.
    """

    def __init__(
        self,
        model: Model,
        scheduler: BatchScheduler,
        parameters: BatchingParameters,
        metrics: Metrics,
    ) -> None:
        self.signature_defs = model.signature_defs
        self._scheduler = scheduler
        self._queues: dict[str, BatchQueue] = {}
        for name in model.signature_defs:
            run, sizes = partial(model.run, name), parameters.allowed_batch_sizes
            runner = BatchRunner(run, metrics, sizes, scheduler.clock)
            self._queues[name] = BatchQueue(parameters, runner.process)

    async def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Runs a signature; a request that is cancelled before its batch starts never runs.

        Inputs have their rows along dimension 0. Outputs are views of the batch's.

        Raises:
            FailedPrecondition: No such signature, or the outputs are not one row per row.
            InvalidArgument: The inputs are not rows, or too many.
            StatusError: UNAVAILABLE, because too many requests wait; or whatever the model raised.
        """
        queue = self._queues.get(signature_name)
        if queue is None:
            raise FailedPrecondition(f'Serving signature key "{signature_name}" not found.')
        futures = self._scheduler.submit(queue, inputs)
        if len(futures) == 1:
            return await futures[0]
        return await _gather(futures)

    def close(self) -> None:
        """Computes what waits without waiting for more; does not block."""
        for queue in self._queues.values():
            self._scheduler.flush(queue)


async def _gather(futures: Sequence["asyncio.Future[Outputs]"]) -> Outputs:
    try:
        parts = await asyncio.gather(*futures)
    finally:
        # When one part has failed, nobody needs the others.
        for future in futures:
            future.cancel()
    size = sum(array.nbytes for part in parts for array in part.values())
    return await call_by_size(size, join, parts)
