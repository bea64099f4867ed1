"""The shipped descriptors against the installed package's."""

import pytest
from google.protobuf import descriptor_pb2

from darkroom.serving import protos
from darkroom.serving.protos.generate import collect_descriptors

MESSAGES = [
    "PredictRequest",
    "PredictResponse",
    "GetModelMetadataRequest",
    "GetModelMetadataResponse",
    "SignatureDefMap",
    "GetModelStatusRequest",
    "GetModelStatusResponse",
]


def collect_fields(descriptor, fields):
    """Every field reachable from a message, so that nothing sent or read can differ."""
    if descriptor.full_name in fields:
        return
    proto = descriptor_pb2.DescriptorProto()
    descriptor.CopyToProto(proto)
    fields[descriptor.full_name] = {
        (field.name, field.number, field.type, field.label) for field in proto.field
    }
    for field in descriptor.fields:
        if field.message_type is not None:
            collect_fields(field.message_type, fields)


def installed_message(name):
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        predict_pb2,
    )

    modules = (predict_pb2, get_model_metadata_pb2, get_model_status_pb2)
    return next(getattr(module, name) for module in modules if hasattr(module, name))


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_are_those_of_the_installed_package(name):
    shipped, installed = {}, {}
    collect_fields(protos.message_class(f"tensorflow.serving.{name}").DESCRIPTOR, shipped)
    collect_fields(installed_message(name).DESCRIPTOR, installed)
    assert shipped.keys() <= installed.keys()
    for message, fields in shipped.items():
        # A newer package may know more fields; those known here must mean the same.
        assert fields <= installed[message]


def test_generating_again_gives_the_same_files():
    names = [file.name for file in collect_descriptors().file]
    shipped = [file.name for file in protos.read_descriptors().file]
    serving_files = [name for name in shipped if name.startswith("tensorflow_serving/")]
    assert set(serving_files) <= set(names)
    assert len(names) == len(set(names))


def test_shipped_file_is_small():
    assert len(protos.read_descriptors().SerializeToString()) < 60_000


def test_unknown_message():
    with pytest.raises(KeyError):
        protos.message_class("tensorflow.serving.Nope")
