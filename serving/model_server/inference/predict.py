"""Predict: named tensors in, named tensors out."""

from collections.abc import Mapping, Sequence

import numpy as np

from serving.model_server.inference.signature_checks import (
    DEFAULT_SIGNATURE,
    check_output_filter,
    check_predict_method,
    check_types,
    complete_inputs,
    find_signature,
)
from serving.model_server.models.leases import Servable


async def predict(
    servable: Servable,
    signature_name: str,
    inputs: Mapping[str, np.ndarray],
    output_filter: Sequence[str] = (),
    check_method_name: bool = False,
) -> dict[str, np.ndarray]:
    """Runs a signature.

    Args:
        servable: The loaded model.
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
        Exception: Whatever the model raises.
    """
    name = signature_name or DEFAULT_SIGNATURE
    signature = find_signature(servable.signature_defs, name)
    if check_method_name:
        check_predict_method(signature)
    complete = complete_inputs(signature, inputs)
    check_output_filter(signature, output_filter)
    check_types(signature, complete)
    outputs = await servable.run(name, complete)
    return {key: outputs[key] for key in output_filter or sorted(outputs)}
