"""Examples in, for classify, regress and multi-inference; the texts are TensorFlow Serving's.

A signature of these APIs takes one tensor, `inputs`: strings that are each a `tf.Example`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from serving.model_server.errors import InvalidArgument
from serving.model_server.event_loop import call_by_size
from serving.model_server.inference.signature_checks import DEFAULT_SIGNATURE, check_types
from serving.model_server.models.leases import LoadedVersion, Servable
from serving.protos.tensors import STRING_BYTES, TensorError, check_filled

INPUTS: Final = "inputs"
_ELEMENT_BYTES: Final = 64
"""What it takes to write one element of an output into a message."""


async def answer_examples(
    loaded: LoadedVersion,
    request: Any,
    check: Callable[[Any], None],
    response: Any,
    fill: Callable[[Any, Mapping[str, np.ndarray], int], None],
) -> Any:
    """Answers a request that has examples for one signature.

    Args:
        loaded: The version to ask.
        request: The request message.
        check: Refuses a `SignatureDef` that is not of the API's form.
        response: The empty answer.
        fill: Writes outputs into the answer's result, with the number of examples.

    Returns:
        The answer.

    Raises:
        InvalidArgument: No such signature, one that is not of the API's form, or no examples.
        Exception: Whatever the model raises.
    """
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature_defs = loaded.servable.signature_defs
    if name not in signature_defs:
        raise InvalidArgument(f"No signature was found with the name: {name}")
    check(signature_defs[name])
    examples = await read_examples(request.input)
    outputs = await run_examples(loaded.servable, name, examples)
    size = estimate_bytes(outputs)
    await call_by_size(size, fill, response.result, outputs, len(examples))
    fill_model_spec(response.model_spec, request.model_spec.name, name, loaded.version)
    return response


async def read_examples(input_: Any) -> np.ndarray:
    """Returns the examples of an `Input` message, serialized; each has the context in front.

    Two serialized messages in a row are read as one, in which the second wins.

    Args:
        input_: The message, or what this function returns, which it returns again.

    Returns:
        Bytes, object array of shape (examples,).

    Raises:
        InvalidArgument: There is no example, or a context too large for so many.
    """
    if isinstance(input_, np.ndarray):
        return input_
    kind = input_.WhichOneof("kind")
    examples = getattr(input_, kind).examples if kind is not None else ()
    if not examples:
        raise InvalidArgument("Input is empty.")
    context = b""
    if kind == "example_list_with_context":
        context = input_.example_list_with_context.context.SerializeToString()
    check_context(context, len(examples))
    size = input_.ByteSize() + len(examples) * (len(context) + STRING_BYTES)
    return await call_by_size(size, _serialize_examples, examples, context)


def check_context(context: bytes, count: int) -> None:
    """Refuses a context that would take too much room in front of each example.

    Args:
        context: Serialized; the request holds it once.
        count: How many examples there are.

    Raises:
        InvalidArgument: It would.
    """
    try:
        check_filled(len(context) * (count - 1))
    except TensorError as error:
        raise InvalidArgument(f"the context of {count} examples: {error}") from None


def _serialize_examples(examples: Any, context: bytes) -> np.ndarray:
    array = np.empty(len(examples), object)
    array[:] = [context + example.SerializeToString() for example in examples]
    return array


async def run_examples(
    servable: Servable, signature_name: str, examples: np.ndarray
) -> Mapping[str, np.ndarray]:
    """Runs a signature on examples.

    Args:
        servable: The loaded model.
        signature_name: Name of the signature.
        examples: What `read_examples` returns.

    Returns:
        Output name to array.

    Raises:
        InvalidArgument: The signature does not take strings.
        Exception: Whatever the model raises.
    """
    inputs = {INPUTS: examples}
    check_types(servable.signature_defs[signature_name], inputs)
    return await servable.run(signature_name, inputs)


def check_one_input(signature: Any) -> None:
    """Checks that a signature takes one tensor.

    Raises:
        InvalidArgument: It takes none or several.
    """
    if len(signature.inputs) != 1:
        raise InvalidArgument("Expected one input Tensor.")


def check_input_name(signature: Any, kind: str) -> None:
    """Checks that a signature takes examples.

    Args:
        signature: The `SignatureDef`.
        kind: "classification" or "regression".

    Raises:
        InvalidArgument: Its input has another name.
    """
    if INPUTS not in signature.inputs:
        raise InvalidArgument(f"No {kind} inputs found in SignatureDef: {signature}")


def check_method(signature: Any, method: str, kind: str) -> None:
    """Checks that a signature says that it is for this method.

    Raises:
        InvalidArgument: It says that it is for another one.
    """
    if signature.method_name != method:
        raise InvalidArgument(
            f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}"
        )


def fill_model_spec(spec: Any, name: str, signature_name: str, version: int) -> None:
    """Writes which version answered into the `ModelSpec` of an answer."""
    spec.name = name
    spec.signature_name = signature_name
    spec.version.value = version


def estimate_bytes(outputs: Mapping[str, np.ndarray]) -> int:
    """Returns how much it takes to write outputs into a message."""
    return sum(array.size for array in outputs.values()) * _ELEMENT_BYTES


def write_shape(array: np.ndarray) -> str:
    """Returns a shape as TensorFlow writes it, as `[2,3]`."""
    return "[" + ",".join(map(str, array.shape)) + "]"
