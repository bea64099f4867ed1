"""From a model that blocks to one that can be awaited."""

import asyncio
from collections.abc import Mapping
from concurrent import futures
from typing import Any, Protocol

import numpy as np

from darkroom.serving.model_server.deadlines import NO_DEADLINE
from darkroom.serving.model_server.operations.request_record import find_deadline


class Model(Protocol):
    """A model whose calls block; safe to use from many threads."""

    signature_defs: Mapping[str, Any]
    """Signature name to `SignatureDef` message."""

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], deadline: float = NO_DEADLINE
    ) -> dict[str, np.ndarray]:
        """Runs a signature; the inputs are known to fit it by name and type.

        Stops at the deadline, if it can.
        """


class ThreadedServable:
    """Runs each request on its own, in a thread of the executor.

    These bound how many requests are computed at a time. Without, it is computed where the call
    is awaited.
    """

    def __init__(self, model: Model, executor: futures.Executor | None) -> None:
        self.signature_defs = model.signature_defs
        self._model = model
        self._executor = executor

    async def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Runs a signature; a request that is cancelled before a thread takes it never runs."""
        if self._executor is None:
            return self._model.run(signature_name, inputs)
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._model.run, signature_name, inputs, find_deadline()
        )

    def close(self) -> None:
        """Does nothing: the model's memory goes with the last reference to it."""
