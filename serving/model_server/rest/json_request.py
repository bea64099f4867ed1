"""The body of a REST predict request to tensors.

They come in rows (`instances`) or in columns (`inputs`); format and texts are those of TensorFlow
Serving's REST API reference and of its server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from darkroom.serving.model_server.errors import InvalidArgument, StatusError
from darkroom.serving.model_server.rest.json_tensors import is_base64, to_tensor
from darkroom.serving.model_server.rest.json_text import quote
from darkroom.serving.protos.tensors import TensorType

Layout = Literal["row", "column"]


@dataclass(frozen=True)
class PredictInputs:
    """Tensors of a request.

    Attributes:
        layout: How they were sent, which is how the answer is written.
        tensors: Input name to array.
    """

    layout: Layout
    tensors: dict[str, np.ndarray]


def read_signature_name(document: Mapping[str, Any]) -> str:
    """Returns the signature that a request names, or ""; InvalidArgument if it is no string."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise InvalidArgument(
            f"JSON Value: {quote(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def read_inputs(document: Mapping[str, Any], types: Mapping[str, TensorType]) -> PredictInputs:
    """Returns the tensors in a JSON object, by the signature's inputs in alphabetical order.

    Raises:
        InvalidArgument: The request is not of the API's form, or does not fit the inputs.
    """
    if "instances" in document and "inputs" in document:
        raise InvalidArgument(
            f"JSON Value: {quote(document)} Not formatted correctly expecting only"
            " one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        return PredictInputs("row", _read_instances(document, types))
    if "inputs" in document:
        return PredictInputs("column", _read_columns(document["inputs"], types))
    raise InvalidArgument("Missing 'inputs' or 'instances' key")


def _read_instances(
    document: Mapping[str, Any], types: Mapping[str, TensorType]
) -> dict[str, np.ndarray]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise InvalidArgument(
            f"JSON Value: {quote(document)} Expecting 'instances' to be an list/array"
        )
    if not instances:
        raise InvalidArgument(f"JSON Value: {quote(document)} No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(types) > 1:
        raise InvalidArgument(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    try:
        return _convert_instances(instances, types)
    except StatusError:
        # Going through them one by one finds the instance to name in the message.
        _explain(instances, types)
        raise


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _convert_instances(
    instances: list[Any], types: Mapping[str, TensorType]
) -> dict[str, np.ndarray]:
    """Returns the tensors, each converted as a whole."""
    if not _is_object(instances[0]):
        name = next(iter(types))
        return {name: to_tensor(instances, types[name])}
    for instance in instances:
        if not _is_object(instance) or instance.keys() != types.keys():
            raise InvalidArgument("The instances are not alike")
    return {
        name: to_tensor([instance[name] for instance in instances], type_)
        for name, type_ in types.items()
    }


def _explain(instances: list[Any], types: Mapping[str, TensorType]) -> None:
    """Raises what is wrong with the first instance that cannot be had."""
    are_objects = _is_object(instances[0])
    first: dict[str, np.ndarray] = {}
    for index, instance in enumerate(instances):
        if _is_object(instance) != are_objects:
            wrong = "object but got list" if are_objects else "value/list but got object"
            raise InvalidArgument(f"Expecting {wrong} at item {index} of input list")
        members = instance if are_objects else {next(iter(types)): instance}
        for key, value in members.items():
            try:
                _check_member(key, value, types, first)
            except StatusError as error:
                raise InvalidArgument(
                    f"Failed to process element: {index}{f' key: {key}' if are_objects else ''} "
                    f"of 'instances' list. Error: {error.code.name}: {error.message}"
                ) from None
        if are_objects and instance.keys() != types.keys():
            raise InvalidArgument(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{quote(instance)} keys must be equal to: {','.join(types)}"
            )


def _check_member(
    key: str, value: Any, types: Mapping[str, TensorType], first: dict[str, np.ndarray]
) -> None:
    if key not in types:
        raise InvalidArgument(f"JSON object: does not have named input: {key}")
    tensor = to_tensor(value, types[key])
    _check_same_shape(first.setdefault(key, tensor), tensor)


def _check_same_shape(first: np.ndarray, other: np.ndarray) -> None:
    if first.size != other.size:
        raise InvalidArgument(f"Expecting tensor size: {first.size} but got: {other.size}")
    if first.shape != other.shape:
        shapes = ["[" + ",".join(map(str, array.shape)) + "]" for array in (first, other)]
        raise InvalidArgument(f"Expecting shape {shapes[0]} but got: {shapes[1]}")


def _read_columns(value: Any, types: Mapping[str, TensorType]) -> dict[str, np.ndarray]:
    if not _is_object(value):
        if len(types) > 1:
            raise InvalidArgument(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        name = next(iter(types))
        return {name: to_tensor(value, types[name])}
    for name in types:
        if name not in value:
            raise InvalidArgument(f"Missing named input: {name} in 'inputs' object.")
    return {name: to_tensor(value[name], type_) for name, type_ in types.items()}
