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
from darkroom.serving.model_server.operations.metrics import NO_METRICS, Metrics
from darkroom.serving.model_server.servables.threaded import Model

POOL_NAME: Final = "model_server_batch_threads"
"""As in TensorFlow Serving where there is no file of parameters."""


class Batcher:
    """Makes servables whose requests are batched by shared threads.

    Args:
        parameters: Those of the threads, and of all versions.
        per_version: Whether a version has parameters of its own instead, in
            `batching_params.pbtxt`, or is not batched.
        metrics: Where each batch is counted.
    """

    def __init__(
        self,
        parameters: BatchingParameters,
        per_version: bool = False,
        metrics: Metrics = NO_METRICS,
    ) -> None:
        self._parameters = parameters
        self._per_version = per_version
        self._metrics = metrics
        self._scheduler = BatchScheduler(parameters.num_batch_threads, parameters.thread_pool_name)

    def create_servable(self, model: Model, path: Path) -> BatchedServable | None:
        """Returns the servable of a version, or None if its requests are not to be batched.

        Args:
            model: The loaded model.
            path: Folder of the version.

        Raises:
            InvalidArgument: The version brings parameters along that are not valid.
        """
        parameters = read_version_parameters(path) if self._per_version else self._parameters
        if parameters is None:
            return None
        return BatchedServable(model, self._scheduler, parameters, self._metrics)

    def close(self, wait: bool = True) -> None:
        """Ends the threads once they have computed what waits.

        Args:
            wait: Whether to return only when they have ended.
        """
        self._scheduler.close(wait)


def create_batcher(config: ServerConfig, metrics: Metrics = NO_METRICS) -> Batcher | None:
    """Returns what batches the requests of a server, or None if it is not to batch them.

    Raises:
        StartError: The file of parameters is not valid; one line that names it.
    """
    if not config.enable_batching:
        return None
    if config.batching_parameters_file is None:
        parameters = BatchingParameters(thread_pool_name=POOL_NAME)
    else:
        parameters = read_batching_parameters(config.batching_parameters_file)
    metrics.name_batch_threads(parameters.thread_pool_name)
    return Batcher(parameters, config.enable_per_model_batching_parameters, metrics)
