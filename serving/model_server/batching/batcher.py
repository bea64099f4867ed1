"""The batching of one server: its threads, and which parameters hold for which version."""

from pathlib import Path
from typing import Final

from darkroom.serving.model_server.batching.parameters import (
    BatchingParameters,
    read_batching_parameters,
    read_version_parameters,
)
from darkroom.serving.model_server.batching.scheduler import BatchScheduler
from darkroom.serving.model_server.batching.servable import BatchedServable
from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.servables.threaded import Model

POOL_NAME: Final = "model_server_batch_threads"
"""As in TensorFlow Serving where there is no file of parameters."""


class Batcher:
    """Makes servables whose requests are batched by shared threads.

    Args:
        config: What says whose parameters hold: the server's, or those that a version has in
            `batching_params.pbtxt`, without which it is not batched.

    Raises:
        StartError: The file of parameters is not valid; one line that names it.
    """

    def __init__(self, config: ServerConfig, metrics: Metrics) -> None:
        file = config.batching_parameters_file
        self._parameters = (
            BatchingParameters(thread_pool_name=POOL_NAME)
            if file is None
            else read_batching_parameters(file)
        )
        self._per_version = config.enable_per_model_batching_parameters
        self._metrics = metrics
        self._scheduler = BatchScheduler(
            self._parameters.num_batch_threads, self._parameters.thread_pool_name
        )
        metrics.name_batch_threads(self._parameters.thread_pool_name)

    def create_servable(self, model: Model, path: Path) -> BatchedServable | None:
        """Returns the servable of the version in a folder; None if it is not to be batched.

        Raises:
            InvalidArgument: The version brings parameters along that are not valid.
        """
        parameters = read_version_parameters(path) if self._per_version else self._parameters
        if parameters is None:
            return None
        return BatchedServable(model, self._scheduler, parameters, self._metrics)

    def close(self) -> None:
        """Ends the threads once they have computed what waits; returns at once."""
        self._scheduler.close(wait=False)
