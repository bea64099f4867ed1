"""The body of a REST predict request to tensors.

They come in rows (`instances`) or in columns (`inputs`); format and texts are those of TensorFlow
Serving's REST API reference and of its server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from serving.model_server.errors import InvalidArgument, StatusError
from serving.model_server.rest.json_tensors import is_base64, to_tensor
from serving.model_server.rest.json_text import quote
from serving.protos.tensors import TensorType

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
    """Returns the signature that a request names, empty if it names none.

    Raises:
        InvalidArgument: The name is not a string.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise InvalidArgument(
            f"JSON Value: {quote(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def read_inputs(document: Mapping[str, Any], types: Mapping[str, TensorType]) -> PredictInputs:
    """Returns the tensors of a request.

    Args:
        document: The request's JSON object.
        types: The signature's inputs, in alphabetical order.

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
    if _is_object(instances[0]):
        return _read_uniform_objects(instances, types) or _read_objects(instances, types)
    return _read_values(instances, types)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _read_values(instances: list[Any], types: Mapping[str, TensorType]) -> dict[str, np.ndarray]:
    name = next(iter(types))
    try:
        return {name: to_tensor(instances, types[name])}
    except StatusError:
        # Going through them one by one finds the instance to name in the message.
        _explain_values(instances, types[name])
        raise


def _explain_values(instances: list[Any], type_: TensorType) -> None:
    first: np.ndarray | None = None
    for index, value in enumerate(instances):
        if _is_object(value):
            raise InvalidArgument(
                f"Expecting value/list but got object at item {index} of input list"
            )
        try:
            row = to_tensor(value, type_)
            first = row if first is None else first
            _check_same_shape(first, row)
        except StatusError as error:
            raise _element_error(index, "", error) from None


def _read_uniform_objects(
    instances: list[Any], types: Mapping[str, TensorType]
) -> dict[str, np.ndarray] | None:
    """Returns the tensors, each converted as a whole; None if an instance needs a closer look."""
    for instance in instances:
        if not _is_object(instance) or instance.keys() != types.keys():
            return None
    try:
        return {
            name: to_tensor([instance[name] for instance in instances], type_)
            for name, type_ in types.items()
        }
    except StatusError:
        return None


def _read_objects(instances: list[Any], types: Mapping[str, TensorType]) -> dict[str, np.ndarray]:
    columns: dict[str, list[np.ndarray]] = {name: [] for name in types}
    for index, instance in enumerate(instances):
        if not _is_object(instance):
            raise InvalidArgument(f"Expecting object but got list at item {index} of input list")
        for key, value in instance.items():
            _read_member(index, key, value, types, columns)
        if instance.keys() != types.keys():
            raise InvalidArgument(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{quote(instance)} keys must be equal to: {','.join(types)}"
            )
    return {name: np.stack(rows) for name, rows in columns.items()}


def _read_member(
    index: int,
    key: str,
    value: Any,
    types: Mapping[str, TensorType],
    columns: Mapping[str, list[np.ndarray]],
) -> None:
    """Adds one value of an instance to its column."""
    try:
        if key not in types:
            raise InvalidArgument(f"JSON object: does not have named input: {key}")
        columns[key].append(to_tensor(value, types[key]))
        _check_same_shape(columns[key][0], columns[key][-1])
    except StatusError as error:
        raise _element_error(index, f" key: {key}", error) from None


def _check_same_shape(first: np.ndarray, other: np.ndarray) -> None:
    if first.size != other.size:
        raise InvalidArgument(f"Expecting tensor size: {first.size} but got: {other.size}")
    if first.shape != other.shape:
        shapes = ["[" + ",".join(map(str, array.shape)) + "]" for array in (first, other)]
        raise InvalidArgument(f"Expecting shape {shapes[0]} but got: {shapes[1]}")


def _element_error(index: int, key: str, error: StatusError) -> InvalidArgument:
    return InvalidArgument(
        f"Failed to process element: {index}{key} of 'instances' list. "
        f"Error: {error.code.name}: {error.message}"
    )


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
