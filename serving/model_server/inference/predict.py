"""Predict: named tensors in, named tensors out; the texts are TensorFlow Serving's."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from darkroom.serving.model_server.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    StatusError,
)
from darkroom.serving.model_server.inference.signature_checks import (
    CLASSIFY_METHOD,
    DEFAULT_SIGNATURE,
    PREDICT_METHOD,
    REGRESS_METHOD,
    check_types,
    name_tensor,
)
from darkroom.serving.model_server.models.leases import Servable
from darkroom.serving.protos.tensors import to_array


async def predict(
    servable: Servable,
    signature_name: str,
    inputs: Mapping[str, np.ndarray],
    output_filter: Sequence[str] = (),
    check_method_name: bool = False,
) -> dict[str, np.ndarray]:
    """Runs a signature.

    Args:
        signature_name: Name of the signature; empty means `serving_default`.
        inputs: Input name to array; may leave out those that have a default.
        output_filter: Names of the outputs wanted; empty means all.
        check_method_name: Whether to refuse a signature whose method is none of the API's.

    Returns:
        Output name to array, in the order of the filter, else of the alphabet; strings as object
        arrays of bytes.

    Raises:
        FailedPrecondition: No such signature.
        InvalidArgument: Inputs or output filter do not fit the signature.
        StatusError: INTERNAL, as in TensorFlow Serving: its method is none of the API's.
    """
    name = signature_name or DEFAULT_SIGNATURE
    if name not in servable.signature_defs:
        raise FailedPrecondition(f'Serving signature key "{name}" not found.')
    signature = servable.signature_defs[name]
    if check_method_name:
        _check_method(signature)
    complete = _complete_inputs(signature, inputs)
    _check_output_filter(signature, output_filter)
    check_types(signature, complete)
    outputs = await servable.run(name, complete)
    return {key: outputs[key] for key in output_filter or sorted(outputs)}


def _check_method(signature: Any) -> None:
    methods = (PREDICT_METHOD, CLASSIFY_METHOD, REGRESS_METHOD)
    if signature.method_name not in methods:
        raise StatusError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(methods)}}}. Was: {signature.method_name}",
        )


def _complete_inputs(signature: Any, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Returns the inputs sent and, for those that were not, the signature's defaults."""
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
    with name_tensor(name):
        return to_array(signature.defaults[name])


def _check_output_filter(signature: Any, output_filter: Sequence[str]) -> None:
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


def _braces(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
