"""Examples in, for classify, regress and multi-inference; the texts are TensorFlow Serving's.

A signature of these APIs takes one tensor, `inputs`: strings that are each a `tf.Example`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from darkroom.serving import protos
from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.event_loop import call_by_size
from darkroom.serving.model_server.inference.signature_checks import DEFAULT_SIGNATURE, check_types
from darkroom.serving.model_server.models.leases import LoadedVersion, Servable
from darkroom.serving.protos.tensors import STRING_BYTES, TensorError, check_filled

INPUTS: Final = "inputs"
_ELEMENT_BYTES: Final = 64
"""What it takes to write one element of an output into a message."""


@dataclass(frozen=True)
class ExampleApi:
    """An API that has examples answered by one signature.

    Attributes:
        kind: "classification" or "regression", as messages and errors name it.
        method: The method that its signatures say they are for.
        outputs: The outputs that its signatures may have.
        wrong_count: Error of a signature with another number of outputs, which it may repeat.
        wrong_names: Error of one with none of these outputs; the signature follows.
        fill: Writes outputs into the empty result, with the number of examples.
    """

    kind: str
    method: str
    outputs: tuple[str, ...]
    wrong_count: str
    wrong_names: str
    fill: Callable[[Any, Mapping[str, np.ndarray], int], None]

    async def __call__(
        self, loaded: LoadedVersion, request: Any, check_method_name: bool = False
    ) -> Any:
        """Returns the answer's message; may refuse a signature of another method.

        Raises:
            InvalidArgument: No such signature, one that is not of this API's form, or no examples.
        """
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        signature_defs = loaded.servable.signature_defs
        if name not in signature_defs:
            raise InvalidArgument(f"No signature was found with the name: {name}")
        self.check(signature_defs[name], check_method_name)
        examples = await read_examples(request.input)
        outputs = await run_examples(loaded.servable, name, examples)
        kind = self.kind.capitalize()
        response = protos.create_message(f"{kind}Response")
        size = estimate_bytes(outputs)
        await call_by_size(size, self.fill, response.result, outputs, len(examples))
        fill_model_spec(response.model_spec, request.model_spec.name, name, loaded.version)
        return response

    def check(self, signature: Any, check_method_name: bool) -> None:
        """Raises InvalidArgument for a signature of another API: by method, inputs or outputs."""
        if check_method_name and signature.method_name != self.method:
            raise InvalidArgument(
                f"Expected {self.kind} signature method_name to be {self.method}. "
                f"Was: {signature.method_name}"
            )
        if len(signature.inputs) != 1:
            raise InvalidArgument("Expected one input Tensor.")
        if not 1 <= len(signature.outputs) <= len(self.outputs):
            raise InvalidArgument(self.wrong_count.format(len(signature.outputs)))
        if INPUTS not in signature.inputs:
            raise InvalidArgument(f"No {self.kind} inputs found in SignatureDef: {signature}")
        if not any(name in signature.outputs for name in self.outputs):
            raise InvalidArgument(f"{self.wrong_names}{signature}")


async def read_examples(input_: Any) -> np.ndarray:
    """Returns the serialized examples of an `Input` message, as object array of shape (examples,).

    Each has the context in front: two serialized messages in a row are read as one, in which the
    second wins.

    Raises:
        InvalidArgument: There is no example, or a context too large for so many.
    """
    kind = input_.WhichOneof("kind")
    examples = getattr(input_, kind).examples if kind is not None else ()
    if not examples:
        raise InvalidArgument("Input is empty.")
    context = b""
    if kind == "example_list_with_context":
        context = input_.example_list_with_context.context.SerializeToString()
    try:
        check_filled(len(context) * (len(examples) - 1))
    except TensorError as error:
        raise InvalidArgument(f"the context of {len(examples)} examples: {error}") from None
    size = input_.ByteSize() + len(examples) * (len(context) + STRING_BYTES)
    return await call_by_size(size, _serialize_examples, examples, context)


def _serialize_examples(examples: Any, context: bytes) -> np.ndarray:
    array = np.empty(len(examples), object)
    array[:] = [context + example.SerializeToString() for example in examples]
    return array


async def run_examples(
    servable: Servable, signature_name: str, examples: np.ndarray
) -> Mapping[str, np.ndarray]:
    """Runs a signature on what `read_examples` returned; InvalidArgument if it takes no strings."""
    inputs = {INPUTS: examples}
    check_types(servable.signature_defs[signature_name], inputs)
    return await servable.run(signature_name, inputs)


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
