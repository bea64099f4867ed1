"""A request against the signature it names; the texts are TensorFlow Serving's."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np

from serving.model_server.errors import FailedPrecondition, InvalidArgument, Unimplemented
from serving.protos.tensors import TYPES, TensorError, TensorType, find_type

DEFAULT_SIGNATURE: Final = "serving_default"


def find_signature(signature_defs: Mapping[str, Any], name: str) -> Any:
    """Returns a `SignatureDef`.

    Raises:
        FailedPrecondition: The model has no such signature.
    """
    if name not in signature_defs:
        raise FailedPrecondition(f'Serving signature key "{name}" not found.')
    return signature_defs[name]


def read_input_types(signature: Any) -> dict[str, TensorType]:
    """Returns the inputs of a `SignatureDef`, by name in alphabetical order.

    Raises:
        Unimplemented: An input of a type that this server cannot take.
    """
    types = {}
    for name, info in sorted(signature.inputs.items()):
        if info.dtype not in TYPES:
            raise Unimplemented(f"input {name}: tensor type {info.dtype} is not supported")
        types[name] = TYPES[info.dtype]
    return types


def check_inputs(signature: Any, inputs: Mapping[str, np.ndarray]) -> None:
    """Checks names and types of the inputs; shapes are the model's own affair.

    Raises:
        InvalidArgument: A name too many, one too few, or another type.
    """
    sent, expected = inputs.keys(), signature.inputs.keys()
    if len(sent) != len(expected):
        raise InvalidArgument(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({_braces(sent)}) != len({_braces(expected)}). "
            f"Sent extra: {_braces(sent - expected)}. "
            f"Missing but required: {_braces(expected - sent)}."
        )
    for name in sorted(sent - expected):
        raise InvalidArgument(
            f"input tensor alias not found in signature: {name}. "
            f"Inputs expected to be in the set {_braces(expected)}."
        )
    for index, (name, expected_type) in enumerate(read_input_types(signature).items()):
        sent_type = _find_sent_type(name, inputs[name])
        if sent_type is not expected_type:
            raise InvalidArgument(
                f"Expects arg[{index}] to be {expected_type.name} but {sent_type.name} is provided"
            )


def check_output_filter(signature: Any, output_filter: Sequence[str]) -> None:
    """Checks the names of the outputs wanted.

    Raises:
        InvalidArgument: A name that is no output, or one twice.
    """
    seen: set[str] = set()
    for name in output_filter:
        if name not in signature.outputs:
            raise InvalidArgument(
                f"output tensor alias not found in signature: {name} "
                f"Outputs expected to be in the set {_braces(signature.outputs.keys())}."
            )
        if name in seen:
            raise InvalidArgument(f"duplicate output tensor alias: {name}")
        seen.add(name)


def _find_sent_type(name: str, array: np.ndarray) -> TensorType:
    try:
        return find_type(array)
    except TensorError as error:
        raise InvalidArgument(f"tensor parsing error: {name} ({error})") from None


def _braces(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
