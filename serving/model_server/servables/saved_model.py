"""A SavedModel that can be asked; imports TensorFlow."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from serving.model_server.errors import FailedPrecondition, NotFound
from serving.model_server.models.versions import find_saved_model_file

TAGS: Final = frozenset({"serve"})


class SavedModel:
    """The signatures of one SavedModel, made by TF1 or TF2.

    Args:
        path: Folder of the SavedModel.
        tags: Tags of the graph to load.

    Raises:
        NotFound: The folder has no SavedModel, or none of these tags.
        Exception: Whatever TensorFlow raises on a broken one.
    """

    def __init__(self, path: Path, tags: Collection[str] = TAGS) -> None:
        self.signature_defs: Mapping[str, Any] = dict(_read_meta_graph(path, tags).signature_def)
        self._model = tf.saved_model.load(str(path), tags=sorted(tags))
        self._functions = dict(self._model.signatures)
        self._unfed = {
            name: text
            for name, signature in self.signature_defs.items()
            if (text := _find_unfed(signature)) is not None
        }

    def run(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            signature_name: Name of the signature.
            inputs: Input name to array, of the signature's names and types; shapes may
                contradict the signature's, as in TensorFlow Serving.

        Returns:
            Output name to array.

        Raises:
            FailedPrecondition: A signature that is listed, yet cannot be called.
            NotFound: A signature with a sparse tensor, which TensorFlow Serving cannot feed.
            tf.errors.OpError: The model failed.
        """
        function = self._functions.get(signature_name)
        if function is None:
            raise FailedPrecondition(f'Serving signature key "{signature_name}" not found.')
        if signature_name in self._unfed:
            raise NotFound(self._unfed[signature_name])
        # Not as a raw operation, which is faster: its kernels outlive the model, constants and all.
        outputs = function(**{name: tf.constant(array) for name, array in inputs.items()})
        return {name: _to_array(tensor) for name, tensor in outputs.items()}


def _find_unfed(signature: Any) -> str | None:
    """Returns TensorFlow Serving's words on a signature with a tensor of several parts."""
    for tensors, text in (
        (signature.inputs, "FeedInputs: unable to find feed output "),
        (signature.outputs, "FetchOutputs node : not found"),
    ):
        if any(info.WhichOneof("encoding") != "name" for info in tensors.values()):
            return text
    return None


def _read_meta_graph(path: Path, tags: Collection[str]) -> Any:
    file = find_saved_model_file(path)
    if file is None:
        raise NotFound(
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}"
        )
    saved_model = saved_model_pb2.SavedModel()
    if file.suffix == ".pb":
        saved_model.ParseFromString(file.read_bytes())
    else:
        text_format.Parse(file.read_text(), saved_model)
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == set(tags):
            return meta_graph
    raise NotFound(
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(sorted(tags))} }}. "
        "To inspect available tag-sets in the SavedModel, please use the SavedModel CLI: "
        "`saved_model_cli`"
    )


def _to_array(tensor: Any) -> np.ndarray:
    value = tensor.numpy()
    if isinstance(value, np.ndarray):
        return value
    # A scalar comes as plain bytes, or as a number of numpy's.
    array = np.empty((), object if isinstance(value, bytes) else value.dtype)
    array[()] = value
    return array
