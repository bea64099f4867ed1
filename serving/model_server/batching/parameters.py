"""How requests are put into batches: `BatchingParameters` by TensorFlow Serving's names."""

import os
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from darkroom.serving.model_server.config import find_first_problem
from darkroom.serving.model_server.errors import InvalidArgument, StartError
from darkroom.serving.protos.text_files import TextFileError, read_text_file

VERSION_FILE: Final = "batching_params.pbtxt"
"""The file in a version's folder that replaces the server's parameters for that version."""
_PLAIN_FIELDS: Final = ("pad_variable_length_inputs",)


def count_cpus() -> int:
    """Returns how many CPUs this process may use."""
    return len(os.sched_getaffinity(0))


class BatchingParameters(BaseModel):
    """When a batch is closed, how large it may be, and how many may wait.

    Names, meanings and defaults are TensorFlow Serving's.

    On `num_batch_threads`: the default is one per CPU, as there. Where the model itself uses all
    CPUs, as a convolutional network does, 1 is worth a try, because batches get larger and do not
    take the CPUs from each other. On 2 CPUs and with a MobileNetV2 of 64×64 pixels, two threads
    took a fifth more CPU time per request than one at 4 callers, and as much at 64. More threads
    pay off for models that leave CPUs idle.

    On `batch_timeout_micros`: 0 does not mean batches of one. While all threads are busy the
    requests that come in gather, so that batches grow with the load and a lone request never waits.

    Args:
        max_batch_size: Rows of the largest request, and, without splitting, of the largest batch.
        batch_timeout_micros: Microseconds until a batch that is not full is taken all the same.
        max_enqueued_batches: Batches of one version and signature that may wait for a thread;
            what exceeds them is refused with UNAVAILABLE.
        num_batch_threads: Batches that are computed at a time, over all models.
        thread_pool_name: Name of these threads.
        allowed_batch_sizes: Sizes in rows up to which a batch is padded; empty means any size.
        enable_large_batch_splitting: Whether a request may be computed in several batches.
        max_execution_batch_size: Rows of the largest batch, with splitting; None means
            `max_batch_size`.
        pad_variable_length_inputs: Whether arrays of different shapes share a batch, the shorter
            ones filled up with their own first element; else they go into different batches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_batch_size: int = Field(default=1000, ge=1)
    batch_timeout_micros: int = Field(default=0, ge=0)
    max_enqueued_batches: int = Field(default=10, ge=0)
    num_batch_threads: int = Field(default_factory=count_cpus, ge=1, le=1024)
    thread_pool_name: str = "batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int | None = Field(default=None, ge=1)
    pad_variable_length_inputs: bool = False

    @property
    def execution_limit(self) -> int:
        """Rows of the largest batch, before padding."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size is not None:
            return self.max_execution_batch_size
        return self.max_batch_size

    @property
    def timeout_seconds(self) -> float:
        """`batch_timeout_micros` in seconds."""
        return self.batch_timeout_micros / 1e6

    @model_validator(mode="after")
    def _check_allowed_sizes(self) -> "BatchingParameters":
        sizes = self.allowed_batch_sizes
        if not sizes:
            return self
        if sizes[0] < 1 or any(a >= b for a, b in pairwise(sizes)):
            raise ValueError(
                f"allowed_batch_sizes={list(sizes)}: give positive sizes, each larger than the last"
            )
        if sizes[-1] != self.max_batch_size:
            raise ValueError(
                f"allowed_batch_sizes={list(sizes)}: the last entry must be max_batch_size, which "
                f"is {self.max_batch_size}; add that size, or set max_batch_size to {sizes[-1]}"
            )
        return self

    @model_validator(mode="after")
    def _check_splitting(self) -> "BatchingParameters":
        if not self.enable_large_batch_splitting:
            return self
        if self.execution_limit > self.max_batch_size:
            raise ValueError(
                f"max_execution_batch_size={self.execution_limit}: must not be larger than "
                f"max_batch_size, which is {self.max_batch_size}; lower the one or raise the other"
            )
        if self.max_enqueued_batches == 0:
            raise ValueError(
                "max_enqueued_batches=0: no request could be split; use 1 or more, or leave out "
                "enable_large_batch_splitting"
            )
        return self


def read_batching_parameters(path: Path) -> BatchingParameters:
    """Reads a file of `BatchingParameters` in protobuf's text format.

    Raises:
        StartError: The file cannot be read, is not such a message, or has a value that does not
            fit; one line that names it.
    """
    try:
        return _read_file(path)
    except TextFileError as error:
        raise StartError(str(error)) from None


def read_version_parameters(folder: Path) -> BatchingParameters | None:
    """Reads the parameters in a version's folder; None if it brings none along.

    Those of the threads do not count.

    Raises:
        InvalidArgument: The file is there, and is not valid.
    """
    path = folder / VERSION_FILE
    if not path.is_file():
        return None
    try:
        return _read_file(path)
    except TextFileError as error:
        raise InvalidArgument(str(error)) from None


def _read_file(path: Path) -> BatchingParameters:
    message = read_text_file(path, "BatchingParameters")
    try:
        return BatchingParameters.model_validate(_list_given(message))
    except ValidationError as error:
        raise TextFileError(f"{path}: {_describe_first(error)}") from None


def _list_given(message: Any) -> dict[str, Any]:
    given = {name: getattr(message, name) for name in _PLAIN_FIELDS}
    given["allowed_batch_sizes"] = tuple(message.allowed_batch_sizes)
    for name in BatchingParameters.model_fields:
        if name not in given and message.HasField(name):
            given[name] = getattr(message, name).value
    return given


def _describe_first(error: ValidationError) -> str:
    field, value, message = find_first_problem(error)
    return f"{field}={value}: {message[0].lower()}{message[1:]}" if field else message
