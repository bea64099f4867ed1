"""The body of a REST classify or regress request to its message; texts are TensorFlow Serving's.

Each example is an object: name of the feature to a value, or to a list of values of one kind.
"""

from collections.abc import Mapping
from typing import Any, Final

from darkroom.serving import protos
from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.rest.json_request import read_signature_name
from darkroom.serving.model_server.rest.json_tensors import (
    decode_base64,
    encode_text,
    is_base64,
    to_float,
)
from darkroom.serving.model_server.rest.json_text import name_json_type, quote

_KINDS: Final = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def read_request(document: Mapping[str, Any], kind: str, model_name: str) -> Any:
    """Returns the `ClassificationRequest` or `RegressionRequest` that a JSON object stands for.

    `kind` is "classification" or "regression".

    Raises:
        InvalidArgument: The body is not of the API's form.
    """
    request = protos.create_message(f"{kind.capitalize()}Request")
    request.model_spec.name = model_name
    request.model_spec.signature_name = read_signature_name(document)
    examples = request.input.example_list
    if "context" in document:
        examples = request.input.example_list_with_context
        _fill_example(examples.context, document["context"])
    for value in _find_examples(document):
        _fill_example(examples.examples.add(), value)
    return request


def _find_examples(document: Mapping[str, Any]) -> list[Any]:
    if "examples" not in document:
        raise InvalidArgument(
            f"JSON Value: {quote(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise InvalidArgument(
            f"JSON Value: {quote(document)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise InvalidArgument(f"JSON Value: {quote(document)} 'examples' value is an empty array")
    return examples


def _fill_example(example: Any, value: Any) -> None:
    if not isinstance(value, dict):
        raise InvalidArgument(f"Example must be JSON object but got JSON {name_json_type(value)}")
    # An example without features has a list of none, as has one from TensorFlow Serving.
    features = example.features.feature
    for name, content in value.items():
        feature = features[encode_text(name).decode("utf-8", "replace")]
        _fill_feature(feature, name, content if isinstance(content, list) else [content])


def _fill_feature(feature: Any, name: str, values: list[Any]) -> None:
    for value in values:
        kind, element = _convert(name, value)
        if feature.WhichOneof("kind") not in (None, kind):
            expected = _KINDS[feature.WhichOneof("kind")]
            raise InvalidArgument(
                f"Unexpected element type in feature: {name} expecting type: {expected}"
            )
        getattr(feature, kind).value.append(_check_range(name, element))


def _convert(name: str, value: Any) -> tuple[str, Any]:
    """Returns the field that a value belongs into, and the value as that field's element."""
    if isinstance(value, bool):
        return "int64_list", int(value)
    if isinstance(value, str):
        return "bytes_list", encode_text(value)
    if is_base64(value):
        return "bytes_list", decode_base64(value)
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return "int64_list", value
    if isinstance(value, int | float):
        return "float_list", to_float(value)
    raise InvalidArgument(
        f"Feature: {name} has element with unexpected JSON type: {name_json_type(value)}"
    )


def _check_range(name: str, element: Any) -> Any:
    if type(element) is int and element >= 2**63:
        raise InvalidArgument(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
    return element
