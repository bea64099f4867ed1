"""Models without TensorFlow: signatures, and answers that are known beforehand."""

import asyncio

import numpy as np

from darkroom.serving import protos
from darkroom.serving.model_server.models.leases import LoadedVersion

FLOAT, STRING = 1, 7
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def signature(inputs=("inputs",), outputs=("classes", "scores"), dtype=STRING, method=""):
    message = protos.message_class("tensorflow.SignatureDef")(method_name=method)
    for name in inputs:
        message.inputs[name].dtype = dtype
        message.inputs[name].name = f"{name}:0"
    for name in outputs:
        message.outputs[name].name = f"{name}:0"
    return message


class Fake:
    """Answers what it was told to, and notes what it was asked."""

    def __init__(self, signature_defs, outputs):
        self.signature_defs = signature_defs
        self._outputs = outputs
        self.asked = []

    async def run(self, signature_name, inputs):
        self.asked.append((signature_name, dict(inputs)))
        await asyncio.sleep(0)
        outputs = self._outputs[signature_name]
        if isinstance(outputs, Exception):
            raise outputs
        return outputs

    def close(self):
        pass


def load(outputs=None, **signatures):
    """Returns version 7 of a model; `outputs` not by signature are those of the default one."""
    signatures = signatures or {"serving_default": signature()}
    if outputs is not None and not set(outputs) <= set(signatures):
        outputs = {"serving_default": outputs}
    return LoadedVersion(7, Fake(signatures, outputs or {}))


def strings(*rows):
    array = np.empty(np.shape(rows), object)
    array[...] = rows
    return array


def floats(*values):
    return np.array(values, np.float32)


def create_request(name, examples=({"x": 1.0},), context=None, signature_name=""):
    """Returns a request whose examples have one float for each feature."""
    request = protos.message_class(f"tensorflow.serving.{name}")()
    if hasattr(request, "model_spec"):
        request.model_spec.name = "m"
        request.model_spec.signature_name = signature_name
    target = request.input.example_list
    if context is not None:
        target = request.input.example_list_with_context
        fill_example(target.context, context)
    for features in examples:
        fill_example(target.examples.add(), features)
    return request


def fill_example(example, features):
    for name, value in features.items():
        example.features.feature[name].float_list.value.append(value)


def read_example(content):
    example = protos.message_class("tensorflow.Example").FromString(content)
    return {
        name: list(feature.float_list.value) for name, feature in example.features.feature.items()
    }
