"""Signatures in the metadata of a TFLite file; imports TensorFlow.

A table of metadata names a buffer of the file. The one of TensorFlow Serving's signatures is a
FlexBuffers map: name of the signature to serialized `SignatureDef`.
"""

import struct
from typing import Any, Final

from flatbuffers import flexbuffers
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as schema

from serving.model_server.errors import InvalidArgument

METADATA_NAME: Final = "signature_defs_metadata"


def read_signatures(content: bytes) -> dict[str, Any]:
    """Returns the signatures of a TFLite model.

    Args:
        content: The file, known to be a TFLite model.

    Returns:
        Signature name to `SignatureDef`; empty where the file has no such metadata.

    Raises:
        InvalidArgument: The metadata is not of this form.
    """
    model = schema.Model.GetRootAs(content)
    for index in range(model.MetadataLength()):
        metadata = model.Metadata(index)
        if metadata.Name() == METADATA_NAME.encode():
            return _parse(bytes(model.Buffers(metadata.Buffer()).DataAsNumpy()))
    return {}


def _parse(content: bytes) -> dict[str, Any]:
    try:
        root = flexbuffers.GetRoot(bytearray(content)).AsMap
        return {
            key.AsKey: meta_graph_pb2.SignatureDef.FromString(bytes(value.AsStringBytes))
            for key, value in zip(root.Keys, root.Values, strict=True)
        }
    except (DecodeError, TypeError, ValueError, IndexError, struct.error) as error:
        raise InvalidArgument(f"Invalid SignatureDefs found in TfLite model: {error}") from None
