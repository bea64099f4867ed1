"""A TFLite model that can be asked; imports TensorFlow."""

import contextlib
import logging
import struct
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from flatbuffers import flexbuffers
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as schema

from darkroom.serving.model_server.deadlines import NO_DEADLINE, count_milliseconds
from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError
from darkroom.serving.model_server.inference.signature_checks import (
    DEFAULT_SIGNATURE,
    PREDICT_METHOD,
)
from darkroom.serving.model_server.models.versions import TFLITE_FILE
from darkroom.serving.protos.tensors import STRING, TensorError, TensorType, find_type

logger = logging.getLogger(__name__)

METADATA_NAME: Final = "signature_defs_metadata"


class TfliteModel:
    """The signatures of one TFLite model.

    They are those in the file's metadata. Without such, there is one named `serving_default`,
    whose inputs and outputs have the names of the tensors without what follows the colon. (What
    newer converters write beside the metadata is not looked at by TensorFlow Serving either.)

    Args:
        path: Folder that holds `model.tflite`.

    Raises:
        InvalidArgument: The file is no TFLite model, or its signatures cannot be read.
        StatusError: INTERNAL, because a signature names a tensor that is not there.
    """

    def __init__(self, path: Path) -> None:
        content = (path / TFLITE_FILE).read_bytes()
        self._interpreters = _InterpreterPool(content)
        with self._interpreters.take() as interpreter:
            self._inputs = _index(interpreter.get_input_details())
            self._outputs = _index(interpreter.get_output_details())
        signatures = _read_signatures(content)
        if not signatures:
            logger.warning("%s: no signatures in the file, made one", path / TFLITE_FILE)
            signatures = {DEFAULT_SIGNATURE: self._create_signature()}
        for signature in signatures.values():
            _resolve_names(signature.inputs, self._inputs, "input")
            _resolve_names(signature.outputs, self._outputs, "output")
        self.signature_defs: Mapping[str, Any] = signatures

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], deadline: float = NO_DEADLINE
    ) -> dict[str, np.ndarray]:
        """Runs a signature; the model is resized to the shapes of the inputs.

        What has begun before the deadline cannot be stopped.

        Raises:
            StatusError: INTERNAL, because the model cannot take these shapes, or failed;
                DEADLINE_EXCEEDED, because the time was over before.
        """
        count_milliseconds(deadline)
        signature = self.signature_defs[signature_name]
        tensors = {
            self._inputs[info.name]["index"]: inputs[name]
            for name, info in signature.inputs.items()
        }
        with self._interpreters.take() as interpreter:
            _feed(interpreter, tensors)
            _call("Failed to invoke TfLite interpreter", interpreter.invoke)
            return {
                name: _fetch(interpreter, self._outputs[info.name])
                for name, info in signature.outputs.items()
            }

    def _create_signature(self) -> Any:
        signature = meta_graph_pb2.SignatureDef(method_name=PREDICT_METHOD)
        for details, infos in (
            (self._inputs, signature.inputs),
            (self._outputs, signature.outputs),
        ):
            for name, detail in sorted(details.items()):
                info = infos[_strip_index(name)]
                info.name = name
                info.dtype = _find_type(detail).number
                del info.tensor_shape.dim[:]
                for size in detail["shape"].tolist():
                    info.tensor_shape.dim.add().size = size
        return signature


class _InterpreterPool:
    """Interpreters of one model: each runs one request at a time, and they share the weights.

    There are as many as requests were ever computed at the same time.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def take(self) -> Iterator[Any]:
        with self._lock:
            interpreter = self._idle.pop() if self._idle else None
        if interpreter is None:
            interpreter = self._create()
        yield interpreter
        # One that has failed is let go of: its tensors may have any shapes.
        with self._lock:
            self._idle.append(interpreter)

    def _create(self) -> Any:
        try:
            interpreter = tf.lite.Interpreter(model_content=self._content)
        except ValueError:
            raise InvalidArgument("Cannot build FlatBufferModel from buffer.") from None
        _call("Failed to allocate tensors", interpreter.allocate_tensors)
        return interpreter


def _feed(interpreter: Any, tensors: Mapping[int, np.ndarray]) -> None:
    shapes = {detail["index"]: tuple(detail["shape"]) for detail in interpreter.get_input_details()}
    resized = [index for index, array in tensors.items() if array.shape != shapes[index]]
    for index in resized:
        text = f"Failed to resize input tensor: {index}"
        _call(text, interpreter.resize_tensor_input, index, tensors[index].shape)
    if resized:
        _call("Failed to allocate tensors", interpreter.allocate_tensors)
    for index, array in tensors.items():
        interpreter.set_tensor(index, array)


def _fetch(interpreter: Any, detail: Mapping[str, Any]) -> np.ndarray:
    array = np.asarray(interpreter.get_tensor(detail["index"]))
    return array.astype(object) if array.dtype.kind == "S" else array


def _call(text: str, function: Any, *args: Any) -> None:
    try:
        function(*args)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise StatusError(Code.INTERNAL, f"{text}: {reason}") from None


def _index(details: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {detail["name"]: detail for detail in details}


def _resolve_names(infos: Any, details: Mapping[str, Mapping[str, Any]], kind: str) -> None:
    """Makes each name that of a tensor: old converters leave out what follows the colon."""
    for alias, info in infos.items():
        if info.name not in details:
            info.name = _strip_index(info.name)
        if info.name not in details:
            raise StatusError(
                Code.INTERNAL,
                f"Unknown tensor '{info.name}'.\n\tSignature {kind} {alias} references an unknown "
                "tensor",
            )


def _strip_index(name: str) -> str:
    return name.split(":", 1)[0]


def _find_type(detail: Mapping[str, Any]) -> TensorType:
    if detail["dtype"] in (np.bytes_, np.object_):
        return STRING
    try:
        return find_type(np.empty(0, detail["dtype"]))
    except TensorError:
        raise StatusError(Code.INTERNAL, f"Unknown TfLite type: {detail['dtype']}") from None


def _read_signatures(content: bytes) -> dict[str, Any]:
    """Returns the signatures in the metadata of a TFLite file; none where it has no such metadata.

    A table of metadata names a buffer of the file. The one of TensorFlow Serving's signatures is a
    FlexBuffers map: name of the signature to serialized `SignatureDef`.
    """
    model = schema.Model.GetRootAs(content)
    for index in range(model.MetadataLength()):
        metadata = model.Metadata(index)
        if metadata.Name() == METADATA_NAME.encode():
            return _parse_signatures(bytes(model.Buffers(metadata.Buffer()).DataAsNumpy()))
    return {}


def _parse_signatures(content: bytes) -> dict[str, Any]:
    try:
        root = flexbuffers.GetRoot(bytearray(content)).AsMap
        return {
            key.AsKey: meta_graph_pb2.SignatureDef.FromString(bytes(value.AsStringBytes))
            for key, value in zip(root.Keys, root.Values, strict=True)
        }
    except (DecodeError, TypeError, ValueError, IndexError, struct.error) as error:
        raise InvalidArgument(f"Invalid SignatureDefs found in TfLite model: {error}") from None
