"""The request log: a sample of the requests and their answers, as TFRecord files.

A file has the format of TensorFlow Serving's warm-up requests, and never more records than a
warm-up may have: copied to `assets.extra/tf_serving_warmup_requests` it warms a model up.
"""

import math
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from darkroom.serving import protos
from darkroom.serving.model_server.errors import Code, InvalidArgument, to_status_error
from darkroom.serving.model_server.operations.background_writer import BackgroundWriter
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.record_files import RecordFiles
from darkroom.serving.protos.tensors import fill_tensor

COLLECTOR_TYPES: Final = ("", "tfrecord")
"""What `log_collector_config.type` may be; TensorFlow Serving has none built in."""
MAX_WAITING_BYTES: Final = 64 << 20
"""Memory of the requests that wait to be written; further ones are left out and counted."""

_LOG_FIELDS: Final = {
    "PredictRequest": "predict_log",
    "ClassificationRequest": "classify_log",
    "RegressionRequest": "regress_log",
    "MultiInferenceRequest": "multi_inference_log",
}
_RECORD_BYTES: Final = 1000


def check_logging_config(model_name: str, config: Any) -> None:
    """Raises InvalidArgument where a model's `LoggingConfig` asks for what does not exist."""
    collector, rate = config.log_collector_config, config.sampling_config.sampling_rate
    where = f"logging_config of model {model_name!r}"
    if collector.type not in COLLECTOR_TYPES:
        raise InvalidArgument(
            f'{where} has log_collector_config.type {collector.type!r}; use "tfrecord"'
        )
    if not (math.isfinite(rate) and 0 <= rate <= 1):
        raise InvalidArgument(
            f"{where} has sampling_config.sampling_rate {rate}; use a probability from 0 to 1"
        )
    if rate and not collector.filename_prefix:
        raise InvalidArgument(
            f"{where} has no log_collector_config.filename_prefix; set the path with which the "
            "names of the log files begin"
        )


@dataclass(frozen=True)
class _Entry:
    """One request that waits to be written."""

    config: Any
    model_name: str
    seconds: float
    create_messages: Callable[[], tuple[Any, Any]]

    @property
    def prefix(self) -> str:
        prefix: str = self.config.log_collector_config.filename_prefix
        return prefix


class RequestLog:
    """Logs a sample of the requests that were answered OK, as their models' configuration says.

    Safe to use from any thread, never raises and never waits: messages are put together and
    written in a thread of its own, and left out where that thread cannot keep up.

    Args:
        find_config: Returns the `LoggingConfig` message of a model, which is checked, or None;
            asked at each request, so that it may change.
        tags: Tags by which the SavedModels are loaded.
    """

    def __init__(
        self,
        find_config: Callable[[str], Any | None],
        metrics: Metrics,
        tags: Collection[str],
        files: RecordFiles,
    ) -> None:
        self._find_config = find_config
        self._metrics = metrics
        self._tags = sorted(tags)
        self._files = files
        self._writer: BackgroundWriter[_Entry] = BackgroundWriter(
            "request-log", self._write, MAX_WAITING_BYTES
        )

    def log_messages(self, model_name: str, request: Any, response: Any, size: int) -> None:
        """Logs a request and its answer, if it is one to a model and chosen.

        Both messages must not change any more; they hold `size` bytes of memory.
        """
        if request.DESCRIPTOR.name in _LOG_FIELDS:
            self._log(model_name, size, lambda: (request, response))

    def log_predict(
        self,
        model_name: str,
        version: int,
        signature_name: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Mapping[str, np.ndarray],
        size: int,
    ) -> None:
        """Logs a Predict request that came as JSON as the messages that mean the same.

        The arrays must not change any more; they hold `size` bytes of memory.
        """
        self._log(
            model_name,
            size,
            lambda: _create_predict_messages(model_name, version, signature_name, inputs, outputs),
        )

    def stop(self) -> None:
        """Writes what waits, takes no more, and closes the files."""
        self._writer.stop()
        self._files.close()

    def _log(
        self, model_name: str, size: int, create_messages: Callable[[], tuple[Any, Any]]
    ) -> None:
        config = self._find_config(model_name)
        # Sampling needs no cryptography.
        if config is None or random.random() >= config.sampling_config.sampling_rate:
            return
        entry = _Entry(config, model_name, time.time(), create_messages)
        if not self._writer.offer(entry, _RECORD_BYTES + size):
            self._metrics.observe_dropped_log("request")
            self._metrics.observe_log(model_name, Code.RESOURCE_EXHAUSTED)

    def _write(self, entries: list[_Entry]) -> None:
        codes = [self._write_one(entry) for entry in entries]
        failures = self._files.flush()
        for entry, code in zip(entries, codes, strict=True):
            failure = failures.get(entry.prefix, code)
            self._metrics.observe_log(entry.model_name, failure if code is Code.OK else code)

    def _write_one(self, entry: _Entry) -> Code:
        try:
            return self._files.write(entry.prefix, self._create_record(entry))
        except Exception as error:
            return to_status_error(error, "logging a request").code

    def _create_record(self, entry: _Entry) -> bytes:
        request, response = entry.create_messages()
        log = protos.create_message("PredictionLog")
        metadata = log.log_metadata
        _copy(metadata.model_spec, find_spec(response))
        _copy(metadata.sampling_config, entry.config.sampling_config)
        metadata.saved_model_tags.extend(self._tags)
        metadata.timestamp_secs = int(entry.seconds)
        exchange = getattr(log, _LOG_FIELDS[request.DESCRIPTOR.name])
        _copy(exchange.request, request)
        _copy(exchange.response, response)
        content: bytes = log.SerializeToString()
        return content


def find_spec(message: Any) -> Any:
    """Returns the `ModelSpec` in a request or an answer; None if it has none."""
    tasks = getattr(message, "tasks", None) or getattr(message, "results", None)
    return getattr(tasks[0] if tasks else message, "model_spec", None)


def _copy(target: Any, source: Any) -> None:
    # By their bytes, because the messages may come from different descriptor pools.
    target.MergeFromString(source.SerializeToString())


def _create_predict_messages(
    model_name: str,
    version: int,
    signature_name: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
) -> tuple[Any, Any]:
    request, response = (
        protos.create_message("PredictRequest"),
        protos.create_message("PredictResponse"),
    )
    for name, array in inputs.items():
        fill_tensor(request.inputs[name], array)
    for name, array in outputs.items():
        fill_tensor(response.outputs[name], array)
    for message in (request, response):
        message.model_spec.name = model_name
        message.model_spec.signature_name = signature_name
    response.model_spec.version.value = version
    return request, response
