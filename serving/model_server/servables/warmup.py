"""Replays the requests that a model brings along; imports TensorFlow.

So its first caller need not wait for tracing and compilation. Format and place are TensorFlow
Serving's.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from google.protobuf.message import DecodeError

from darkroom.serving import protos
from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError, Unimplemented
from darkroom.serving.model_server.inference.classify import classify
from darkroom.serving.model_server.inference.multi_inference import multi_inference
from darkroom.serving.model_server.inference.predict import predict
from darkroom.serving.model_server.inference.regress import regress
from darkroom.serving.model_server.inference.signature_checks import read_tensors
from darkroom.serving.model_server.models.leases import LoadedVersion
from darkroom.serving.model_server.servables.threaded import Model, ThreadedServable
from darkroom.serving.warmup import WARMUP_FILE

logger = logging.getLogger(__name__)

MAX_RECORDS: Final = 1000
_EXAMPLE_APIS: Final[dict[str, Callable[..., Awaitable[Any]]]] = {
    "classify_log": classify,
    "regress_log": regress,
    "multi_inference_log": multi_inference,
}


def warm_up(model: Model, path: Path, iterations: int = 1, check_method_names: bool = False) -> int:
    """Replays each warm-up request in a model's folder so often; returns how many there are.

    Raises:
        InvalidArgument: The file has too many records, or one that cannot be read.
        Unimplemented: A record of a kind that cannot be replayed.
        StatusError: DATA_LOSS, because the file is not of the format.
        Exception: Whatever the model raises; it would fail its callers too.
    """
    file = path / WARMUP_FILE
    if not file.is_file():
        return 0
    # The version is of no account: nobody sees the answers.
    loaded = LoadedVersion(0, ThreadedServable(model, executor=None))
    return asyncio.run(_replay(loaded, file, iterations, check_method_names))


async def _replay(
    loaded: LoadedVersion, file: Path, iterations: int, check_method_names: bool
) -> int:
    count = 0
    for log in _read_logs(file):
        for _ in range(iterations):
            await _ask(loaded, log, check_method_names)
        count += 1
    logger.info("%s: replayed %d warm-up requests, %d times each", file, count, iterations)
    return count


async def _ask(loaded: LoadedVersion, log: Any, check_method_names: bool) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        await predict(
            loaded.servable,
            request.model_spec.signature_name,
            read_tensors(request.inputs),
            list(request.output_filter),
            check_method_names,
        )
    elif kind in _EXAMPLE_APIS:
        await _EXAMPLE_APIS[kind](loaded, getattr(log, kind).request, check_method_names)
    elif kind is not None:
        number = log.DESCRIPTOR.fields_by_name[kind].number
        raise Unimplemented(f"Unsupported log_type for warmup: {number}")


def _read_logs(file: Path) -> Iterator[Any]:
    log_class = protos.message_class("tensorflow.serving.PredictionLog")
    for count, record in enumerate(_read_records(file), start=1):
        if count > MAX_RECORDS:
            raise InvalidArgument(
                f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}"
            )
        try:
            log = log_class.FromString(record)
        except DecodeError:
            raise InvalidArgument(f"Failed to parse warmup record {count} from {file}") from None
        yield log


def _read_records(file: Path) -> Iterator[bytes]:
    try:
        yield from tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    except tf.errors.DataLossError as error:
        raise StatusError(
            Code.DATA_LOSS,
            f"{error.message}. Please verify your warmup data is in TFRecord format.",
        ) from None
