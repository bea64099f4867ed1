"""Regress: examples in, one number for each out; the texts are TensorFlow Serving's."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.inference.examples import ExampleApi, write_shape
from darkroom.serving.model_server.inference.signature_checks import REGRESS_METHOD
from darkroom.serving.protos.tensors import find_type

OUTPUTS: Final = "outputs"


def _fill(result: Any, outputs: Mapping[str, np.ndarray], num_examples: int) -> None:
    """Writes `outputs`, floats of shape (examples,) or (examples, 1), into a `RegressionResult`."""
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


regress: Final = ExampleApi(
    kind="regression",
    method=REGRESS_METHOD,
    outputs=(OUTPUTS,),
    wrong_count="Expected one output Tensor.",
    wrong_names="No regression outputs found in SignatureDef: ",
    fill=_fill,
)
"""Answers a `RegressionRequest` with a `RegressionResponse`."""
