"""Weights of torch's modules, put into the Keras layers of the same name."""

from collections.abc import Mapping, Sequence
from typing import Final

import keras
import numpy as np

from darkroom.trainer.errors import WeightsError

_AXES: Final[dict[type, dict[str, tuple[int, ...]]]] = {
    keras.layers.Conv2D: {"weight": (2, 3, 1, 0)},
    keras.layers.DepthwiseConv2D: {"weight": (2, 3, 0, 1)},
    keras.layers.Dense: {"weight": (1, 0), "bias": (0,)},
    keras.layers.BatchNormalization: {
        "weight": (0,),
        "bias": (0,),
        "running_mean": (0,),
        "running_var": (0,),
    },
}
"""Names of torch's tensors in the order of Keras' weights, and where each Keras axis lies there."""
_STEPS: Final = ".num_batches_tracked"
"""Ends the name of a counter of training steps, which Keras does not have."""


def set_layer_weights(
    model: keras.Model, tensors: Mapping[str, np.ndarray], unused: Sequence[str] = ()
) -> None:
    """Sets all weights of `model`.

    Args:
        model: Its layers are named as torch's modules, without underscores in front.
        unused: Beginnings of names that the model has no layers for.

    Raises:
        WeightsError: A tensor is missing, has another shape, or is left over.
    """
    left = {name: t for name, t in tensors.items() if not name.startswith(tuple(unused))}
    for layer in model.layers:
        if layer.weights:
            _set_weights(layer, left)
    if rest := [name for name in left if not name.endswith(_STEPS)]:
        raise WeightsError(f"trainer.weights: no layer of {model.name} is for {', '.join(rest)}")


def _set_weights(layer: keras.layers.Layer, left: dict[str, np.ndarray]) -> None:
    module = _module_name(layer.name)
    values = []
    for variable, (name, axes) in zip(layer.weights, _AXES[type(layer)].items(), strict=True):
        tensor = left.pop(f"{module}.{name}", None)
        if tensor is None:
            raise WeightsError(f"trainer.weights: {module}.{name} is missing")
        shape = tuple(variable.shape[axis] for axis in np.argsort(axes))
        if tensor.shape != shape:
            raise WeightsError(
                f"trainer.weights: {module}.{name} has the shape {tensor.shape}, not {shape}"
            )
        values.append(tensor.transpose(axes))
    layer.set_weights(values)


def _module_name(layer_name: str) -> str:
    """Name of the module that a layer stands for.

    >>> _module_name("blocks.0.bn1")
    '_blocks.0._bn1'
    """
    return ".".join(part if part.isdigit() else f"_{part}" for part in layer_name.split("."))
