"""A request against the signature it names; the texts are TensorFlow Serving's."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np

from serving.model_server.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    StatusError,
    Unimplemented,
)
from serving.protos.tensors import TYPES, TensorError, TensorType, find_type, to_array

DEFAULT_SIGNATURE: Final = "serving_default"
PREDICT_METHOD: Final = "tensorflow/serving/predict"
CLASSIFY_METHOD: Final = "tensorflow/serving/classify"
REGRESS_METHOD: Final = "tensorflow/serving/regress"


def find_signature(signature_defs: Mapping[str, Any], name: str) -> Any:
    """Returns the `SignatureDef` to predict with.

    Raises:
        FailedPrecondition: The model has no such signature.
    """
    if name not in signature_defs:
        raise FailedPrecondition(f'Serving signature key "{name}" not found.')
    return signature_defs[name]


def check_predict_method(signature: Any) -> None:
    """Checks that a signature says what it is for.

    Raises:
        StatusError: INTERNAL, as in TensorFlow Serving: its method is none of the API's.
    """
    methods = (PREDICT_METHOD, CLASSIFY_METHOD, REGRESS_METHOD)
    if signature.method_name not in methods:
        raise StatusError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(methods)}}}. Was: {signature.method_name}",
        )


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


def complete_inputs(signature: Any, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Returns the inputs that were sent and, for those that were not, the signature's defaults.

    Raises:
        InvalidArgument: A name too many, or one too few that has no default.
    """
    if inputs.keys() == signature.inputs.keys():
        return inputs
    _check_count(signature, inputs)
    complete = {name: _find_input(signature, inputs, name) for name in sorted(signature.inputs)}
    if not inputs.keys() <= signature.inputs.keys():
        used = ",".join(sorted(inputs.keys() & signature.inputs.keys()))
        raise InvalidArgument(
            f"Inputs contains invalid name. Used request inputs: {used}, "
            f"request input: {','.join(sorted(inputs))}"
        )
    return complete


def _check_count(signature: Any, inputs: Mapping[str, np.ndarray]) -> None:
    sent, expected = inputs.keys(), signature.inputs.keys()
    if len(sent) > len(expected) or (len(sent) < len(expected) and not signature.defaults):
        raise InvalidArgument(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({_braces(sent)}) != len({_braces(expected)}). "
            f"Sent extra: {_braces(sent - expected)}. "
            f"Missing but required: {_braces(expected - sent)}."
        )


def _find_input(signature: Any, inputs: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name in inputs:
        return inputs[name]
    if name not in signature.defaults:
        raise InvalidArgument(
            f"Signature input alias: {name}(feed name: {signature.inputs[name].name}) not found "
            "in request and no default value provided. Inputs expected to be in the request "
            f"{_braces(inputs.keys())}, or default input alias set: "
            f"{','.join(sorted(signature.defaults))}"
        )
    try:
        return to_array(signature.defaults[name])
    except TensorError as error:
        raise InvalidArgument(f"tensor parsing error: {name} ({error})") from None


def check_types(signature: Any, inputs: Mapping[str, np.ndarray]) -> None:
    """Checks the types of the inputs; shapes are the model's own affair.

    Raises:
        InvalidArgument: An input of another type.
    """
    for index, (name, expected) in enumerate(read_input_types(signature).items()):
        sent = _find_sent_type(name, inputs[name])
        if sent is not expected:
            raise InvalidArgument(
                f"Expects arg[{index}] to be {expected.name} but {sent.name} is provided"
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
