"""Replays the requests that a SavedModel brings along; imports TensorFlow.

So its first caller need not wait for tracing and compilation. Format and place are TensorFlow
Serving's.
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.model_server.errors import InvalidArgument
from serving.model_server.inference.predict import predict
from serving.model_server.servables.threaded import Model, ThreadedServable
from serving.protos.tensors import to_array
from serving.warmup import WARMUP_FILE

logger = logging.getLogger(__name__)

MAX_RECORDS: Final = 1000


def warm_up(model: Model, path: Path) -> int:
    """Replays the warm-up requests of a SavedModel, if it has any.

    Args:
        model: The loaded model.
        path: Its folder.

    Returns:
        How many requests were replayed. Requests of other kinds than predict are left out.

    Raises:
        InvalidArgument: The file is not of the format, or has too many records.
        Exception: Whatever the model raises; it would fail its callers too.
    """
    file = path / WARMUP_FILE
    if not file.is_file():
        return 0
    return asyncio.run(_replay(ThreadedServable(model, executor=None), file))


async def _replay(servable: ThreadedServable, file: Path) -> int:
    replayed = 0
    for log in _read_logs(file):
        if log.WhichOneof("log_type") != "predict_log":
            logger.warning("%s: skipping a %s", file, log.WhichOneof("log_type"))
            continue
        request = log.predict_log.request
        inputs = {name: to_array(proto) for name, proto in request.inputs.items()}
        await predict(
            servable, request.model_spec.signature_name, inputs, list(request.output_filter)
        )
        replayed += 1
    logger.info("%s: replayed %d warm-up requests", file, replayed)
    return replayed


def _read_logs(file: Path) -> Iterator[Any]:
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    for count, record in enumerate(records, start=1):
        if count > MAX_RECORDS:
            raise InvalidArgument(
                f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}"
            )
        try:
            yield prediction_log_pb2.PredictionLog.FromString(record)
        except DecodeError:
            raise InvalidArgument(f"Failed to parse warmup record {count} from {file}") from None
