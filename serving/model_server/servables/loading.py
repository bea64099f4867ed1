"""From a version folder to what answers requests; imports TensorFlow."""

from concurrent import futures
from functools import partial
from pathlib import Path

from darkroom.serving.model_server.batching.batcher import Batcher
from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.models.leases import Servable
from darkroom.serving.model_server.models.versions import TFLITE_FILE
from darkroom.serving.model_server.operations.measured_models import (
    MeasuredServable,
    measure_warmup,
)
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.servables.saved_model import SavedModel, create_session_config
from darkroom.serving.model_server.servables.tflite import TfliteModel
from darkroom.serving.model_server.servables.threaded import Model, ThreadedServable
from darkroom.serving.model_server.servables.warmup import warm_up


def load_servable(
    path: Path,
    config: ServerConfig,
    metrics: Metrics,
    executor: futures.Executor,
    batcher: Batcher | None,
) -> Servable:
    """Loads a version and warms it up.

    Args:
        config: How to load it, and whether to warm it up.
        executor: Computes requests one by one.
        batcher: Computes them together instead, unless it leaves this version out.

    Raises:
        NotFound: The folder has no model.
        Exception: The model is broken, or fails on a request that it is warmed up with.
    """
    model = load_model(path, config)
    if config.enable_model_warmup:
        iterations = config.num_request_iterations_for_warmup
        check_method_names = config.enable_signature_method_name_check
        replay = partial(warm_up, model, path, iterations, check_method_names)
        measure_warmup(metrics, path, replay)
    batched = batcher.create_servable(model, path) if batcher is not None else None
    return MeasuredServable(batched or ThreadedServable(model, executor), metrics)


def load_model(path: Path, config: ServerConfig) -> Model:
    """Loads the model of a version folder.

    Args:
        path: Folder of a SavedModel, of a TFLite model, or of both.
        config: Whether to take the TFLite model where there is one, else it is not looked at; and
            of a SavedModel, which graph to load, and how its session runs.

    Raises:
        NotFound: The folder has no model.
        Exception: The model is broken.
    """
    if config.prefer_tflite_model and (path / TFLITE_FILE).is_file():
        return TfliteModel(path)
    return SavedModel(path, config.saved_model_tags, create_session_config(config))
