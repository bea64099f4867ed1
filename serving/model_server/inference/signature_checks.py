"""A request against the signature it names; the texts are TensorFlow Serving's."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from darkroom.serving.model_server.errors import InvalidArgument, Unimplemented
from darkroom.serving.protos.tensors import TYPES, TensorError, TensorType, find_type, to_array

DEFAULT_SIGNATURE: Final = "serving_default"
PREDICT_METHOD: Final = "tensorflow/serving/predict"
CLASSIFY_METHOD: Final = "tensorflow/serving/classify"
REGRESS_METHOD: Final = "tensorflow/serving/regress"


def read_input_types(signature: Any) -> dict[str, TensorType]:
    """Returns a `SignatureDef`'s inputs, sorted by name; Unimplemented for an unknown type."""
    types = {}
    for name, info in sorted(signature.inputs.items()):
        if info.dtype not in TYPES:
            raise Unimplemented(f"input {name}: tensor type {info.dtype} is not supported")
        types[name] = TYPES[info.dtype]
    return types


def check_types(signature: Any, inputs: Mapping[str, np.ndarray]) -> None:
    """Raises InvalidArgument for an input of another type; shapes are the model's own affair."""
    for index, (name, expected) in enumerate(read_input_types(signature).items()):
        with name_tensor(name):
            sent = find_type(inputs[name])
        if sent is not expected:
            raise InvalidArgument(
                f"Expects arg[{index}] to be {expected.name} but {sent.name} is provided"
            )


def read_tensors(protos: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns the arrays of `TensorProto` messages, by the same names.

    Raises:
        InvalidArgument: One that is not well formed, or unfolds to too much.
    """
    arrays = {}
    for name, proto in protos.items():
        with name_tensor(name):
            arrays[name] = to_array(proto)
    return arrays


@contextlib.contextmanager
def name_tensor(name: str) -> Iterator[None]:
    """Turns a `TensorError` of what is done with a tensor into an InvalidArgument naming it."""
    try:
        yield
    except TensorError as error:
        raise InvalidArgument(f"tensor parsing error: {name} ({error})") from None
