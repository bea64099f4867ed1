"""TensorFlow Serving's request and answer messages, without importing TensorFlow.

The package `tensorflow-serving-api` imports TensorFlow, which takes ten seconds. A client needs the
messages alone, so their descriptors are shipped as a `FileDescriptorSet` (written by
`python -m darkroom.serving.protos.generate`) and put into a private pool, where they do not collide
with TensorFlow's own when both live in one process.
"""

from functools import cache
from importlib import resources
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DESCRIPTOR_FILE: Final = "tensorflow_serving.binpb"

PREDICT: Final = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA: Final = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS: Final = "/tensorflow.serving.ModelService/GetModelStatus"
SERVICES: Final = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


@cache
def message_class(full_name: str) -> Any:
    """Returns the class of a `tensorflow.serving.PredictRequest` or the like; else KeyError."""
    descriptor = load_pool().FindMessageTypeByName(full_name)
    # protobuf 3.20 has only the factory object, protobuf 6 only the function.
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return _create_factory().GetPrototype(descriptor)


def create_message(name: str) -> Any:
    """Returns an empty message of TensorFlow Serving's, for example a `PredictRequest`."""
    return message_class(f"tensorflow.serving.{name}")()


@cache
def _create_factory() -> Any:
    return message_factory.MessageFactory(load_pool())


@cache
def load_pool() -> Any:
    """Returns the private `DescriptorPool` of the shipped messages."""
    pool = descriptor_pool.DescriptorPool()
    for file in read_descriptors().file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def read_descriptors() -> Any:
    """Returns the shipped `FileDescriptorSet`, its files in the order of their dependencies."""
    content = resources.files(__package__).joinpath(DESCRIPTOR_FILE).read_bytes()
    return descriptor_pb2.FileDescriptorSet.FromString(content)
