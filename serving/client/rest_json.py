"""The bodies of REST requests and answers."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from darkroom.serving.client.arrays import to_array
from darkroom.serving.client.errors import AnswerError
from darkroom.serving.client.examples import Example, read_feature
from darkroom.serving.client.signatures import Signature, TensorSpec, read_shape


def write_inputs(inputs: Mapping[str, Any], signature_name: str) -> bytes:
    """Returns the body of a predict request, its tensors in columns."""
    columns = {name: _write_array(to_array(value)) for name, value in inputs.items()}
    return _write_request({"inputs": _write_members(columns)}, signature_name)


def write_examples(
    examples: Sequence[Example], signature_name: str, context: Example | None
) -> bytes:
    """Returns the body of a classify or regress request; ValueError for what no feature can be."""
    members = {"examples": "[" + ",".join(map(_write_example, examples)) + "]"}
    if context is not None:
        members["context"] = _write_example(context)
    return _write_request(members, signature_name)


def parse(body: bytes) -> Any:
    """Returns the document of an answer; AnswerError where it is not JSON."""
    try:
        # TensorFlow Serving writes strings as they are, also those that are not UTF-8.
        return json.loads(body.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise AnswerError(f"the answer is not JSON: {error}") from None


def get(answer: Any, key: str) -> Any:
    """Returns a member of an object; AnswerError where there is none."""
    if not isinstance(answer, dict) or key not in answer:
        raise AnswerError(f"the answer has no {key!r}; is this a TensorFlow Serving?")
    return answer[key]


def read_error(body: bytes) -> str:
    """Returns the message of an answer that is an error, or what else it says, in one line."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        # A proxy's page, perhaps.
        return " ".join(body.decode("utf-8", "replace").split())[:200] or "no message"


def is_named(outputs: Any) -> bool:
    """Says whether outputs are an object of several, rather than a single one without its name."""
    return isinstance(outputs, dict) and not _is_base64(outputs)


def read_array(value: Any) -> np.ndarray:
    """Returns an output: float64, int64, bool, or object of str or bytes."""
    return to_array(_decode(value))


def read_signature(document: Any) -> Signature:
    """Returns a signature of a metadata answer; AnswerError where it has another form."""
    return Signature(
        method_name=str(get(document, "method_name")),
        inputs=_read_specs(get(document, "inputs")),
        outputs=_read_specs(get(document, "outputs")),
    )


def _read_specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {name: _read_spec(tensor) for name, tensor in sorted(tensors.items())}


def _read_spec(tensor: Any) -> TensorSpec:
    shape = get(tensor, "tensor_shape")
    sizes = [int(dimension["size"]) for dimension in get(shape, "dim")]
    type_name = str(get(tensor, "dtype")).removeprefix("DT_").lower()
    return TensorSpec(type_name, read_shape(sizes, get(shape, "unknown_rank")))


def _write_request(members: dict[str, str], signature_name: str) -> bytes:
    if signature_name:
        members["signature_name"] = json.dumps(signature_name)
    return _write_members(members).encode("ascii")


def _write_members(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}"


def _write_example(example: Example) -> str:
    return _write_members(
        {name: _write_strings(read_feature(name, value)) for name, value in example.items()}
    )


def _write_array(array: np.ndarray) -> str:
    values = array.tolist()
    return _write_strings(values) if array.dtype == object else json.dumps(values)


def _write_strings(value: Any) -> str:
    # By hand, because images are large: a JSON library would go through each once more.
    if isinstance(value, bytes):
        return '{"b64":"' + base64.b64encode(value).decode("ascii") + '"}'
    if isinstance(value, list):
        return "[" + ",".join(map(_write_strings, value)) + "]"
    return json.dumps(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return base64.b64decode(value["b64"]) if _is_base64(value) else value
