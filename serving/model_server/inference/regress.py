"""Regress: examples in, one number for each out; the texts are TensorFlow Serving's."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from serving import protos
from serving.model_server.errors import InvalidArgument
from serving.model_server.inference.examples import (
    answer_examples,
    check_input_name,
    check_method,
    check_one_input,
    write_shape,
)
from serving.model_server.inference.signature_checks import REGRESS_METHOD
from serving.model_server.models.leases import LoadedVersion
from serving.protos.tensors import find_type

OUTPUTS: Final = "outputs"


async def regress(loaded: LoadedVersion, request: Any, check_method_name: bool = False) -> Any:
    """Answers a `RegressionRequest`.

    Args:
        loaded: The version to ask.
        request: The request message.
        check_method_name: Whether to refuse a signature of another method.

    Returns:
        `RegressionResponse`.

    Raises:
        InvalidArgument: No such signature, one that is not of this API's form, or no examples.
        Exception: Whatever the model raises.
    """

    def check(signature: Any) -> None:
        check_regression(signature, check_method_name)

    response = protos.message_class("tensorflow.serving.RegressionResponse")()
    return await answer_examples(loaded, request, check, response, fill_regressions)


def check_regression(signature: Any, check_method_name: bool) -> None:
    """Checks that a signature is one to regress with.

    Raises:
        InvalidArgument: Its method, its inputs or its outputs say otherwise.
    """
    if check_method_name:
        check_method(signature, REGRESS_METHOD, "regression")
    check_one_input(signature)
    if len(signature.outputs) != 1:
        raise InvalidArgument("Expected one output Tensor.")
    check_input_name(signature, "regression")
    if OUTPUTS not in signature.outputs:
        raise InvalidArgument(f"No regression outputs found in SignatureDef: {signature}")


def fill_regressions(result: Any, outputs: Mapping[str, np.ndarray], num_examples: int) -> None:
    """Writes the output of a model into a `RegressionResult`.

    Args:
        result: The empty message.
        outputs: `outputs`, floats of shape (examples,) or (examples, 1).
        num_examples: Examples that were sent.

    Raises:
        InvalidArgument: An output of another type or shape.
    """
    array = outputs[OUTPUTS]
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise InvalidArgument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{write_shape(array)}"
        )
    if len(array) != num_examples:
        raise InvalidArgument(
            f"Input batch size did not match output batch size: {num_examples} vs. {len(array)}"
        )
    type_name = find_type(array).name
    if type_name != "float":
        raise InvalidArgument(f"Expected output Tensor of DT_FLOAT.  Got: DT_{type_name.upper()}")
    for value in array.ravel().tolist():
        result.regressions.add(value=value)
