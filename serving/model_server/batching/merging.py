"""Arrays of several requests to the arrays of one batch, and back; rows are along dimension 0."""

from collections.abc import Hashable, Mapping, Sequence
from operator import itemgetter

import numpy as np

from darkroom.serving.model_server.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    StatusError,
)

Arrays = Mapping[str, np.ndarray]
"""Input or output name to array."""
Outputs = dict[str, np.ndarray]


class UnbatchableModel(FailedPrecondition):
    """An output without rows, which no other batch would have either."""


def count_rows(inputs: Arrays) -> int:
    """Returns the rows of a request's inputs.

    Raises:
        InvalidArgument: No inputs, an input without rows, or inputs of different numbers of rows.
    """
    if not inputs:
        raise InvalidArgument("Batching Run() must have at least one input tensor")
    rows = -1
    for array in inputs.values():
        if array.ndim == 0:
            raise InvalidArgument("Batching Run() input tensors must have at least one dimension")
        if rows not in (-1, len(array)):
            raise InvalidArgument("Batching Run() input tensors must have equal 0th-dimension size")
        rows = len(array)
    return rows


def describe_kind(inputs: Arrays, pad: bool) -> Hashable:
    """Returns a key that is equal for inputs that may share a batch.

    With `pad`, different shapes of the same rank may.
    """
    kinds = [(name, a.dtype, _describe_shape(a, pad)) for name, a in inputs.items()]
    # By name alone: the names differ, and types have no order.
    return tuple(sorted(kinds, key=itemgetter(0))) if len(kinds) > 1 else kinds[0]


def _describe_shape(array: np.ndarray, pad: bool) -> tuple[int, ...] | int:
    shape = array.shape[1:]
    # What has no elements has none to be filled up with.
    return array.ndim if pad and 0 not in shape else shape


def choose_size(rows: int, allowed_sizes: Sequence[int]) -> int:
    """Returns the smallest allowed size that is not below `rows`; `rows` if there is none."""
    # Without rows there is none that could be repeated.
    return next((size for size in allowed_sizes if size >= rows), rows) if rows else 0


def merge(requests: Sequence[Arrays], rows: int, size: int) -> Arrays:
    """Puts the inputs of several requests into one.

    Args:
        requests: Inputs of each request, all of one kind (see `describe_kind`).
        rows: Rows of all requests together.
        size: Rows of the result; those beyond `rows` repeat the first one.

    Returns:
        Input name to array. The only request's own arrays, if nothing has to be added to them.
    """
    if len(requests) == 1 and rows == size:
        return requests[0]
    return {
        name: _merge_arrays([request[name] for request in requests], rows, size)
        for name in requests[0]
    }


def _merge_arrays(arrays: Sequence[np.ndarray], rows: int, size: int) -> np.ndarray:
    shape = tuple(max(sizes) for sizes in zip(*(a.shape[1:] for a in arrays), strict=True))
    merged = np.empty((size, *shape), arrays[0].dtype)
    if all(array.shape[1:] == shape for array in arrays):
        np.concatenate(arrays, out=merged[:rows])
    else:
        _fill_padded(merged, arrays)
    if size > rows:
        merged[rows:] = merged[0]
    return merged


def _fill_padded(merged: np.ndarray, arrays: Sequence[np.ndarray]) -> None:
    start = 0
    for array in arrays:
        part = merged[start : start + len(array)]
        if array.size and array.shape != part.shape:
            part[...] = array.flat[0]
        part[tuple(slice(size) for size in array.shape)] = array
        start += len(array)


def split(outputs: Arrays, rows_per_request: Sequence[int], size: int) -> list[Outputs]:
    """Returns, for each request in a batch, output name to a view of its rows.

    Args:
        outputs: The model's answer to the batch.
        rows_per_request: Rows of each request, in their order in the batch.
        size: Rows of the batch; those beyond the requests' are left out.

    Raises:
        UnbatchableModel: An output without rows.
        FailedPrecondition: An output of another number of rows than the batch.
    """
    for array in outputs.values():
        if array.ndim == 0:
            raise UnbatchableModel("Batched output tensor has 0 dimensions")
        if len(array) != size:
            raise FailedPrecondition(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th "
                "dimension sizes of the input tensors"
            )
    answers = []
    start = 0
    for rows in rows_per_request:
        end = start + rows
        answers.append({name: array[start:end] for name, array in outputs.items()})
        start = end
    return answers


def cut(inputs: Arrays, rows_per_part: Sequence[int]) -> Sequence[Arrays]:
    """Returns, for each part of a request, input name to a view of its rows.

    The rows of the parts are together those of the request.
    """
    if len(rows_per_part) == 1:
        return [inputs]
    return split(inputs, rows_per_part, sum(rows_per_part))


def join(parts: Sequence[Arrays]) -> Outputs:
    """Puts the answers to a request's parts together; StatusError (INTERNAL) if shapes differ."""
    try:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except ValueError as error:
        raise StatusError(Code.INTERNAL, f"Tensor concat operation failed: {error}") from None
