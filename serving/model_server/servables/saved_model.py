"""A SavedModel that can be asked; imports TensorFlow."""

from collections.abc import Mapping
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

    Raises:
        NotFound: The folder has no SavedModel, or none for serving.
        Exception: Whatever TensorFlow raises on a broken one.
    """

    def __init__(self, path: Path) -> None:
        self.signature_defs: Mapping[str, Any] = dict(_read_meta_graph(path).signature_def)
        self._model = tf.saved_model.load(str(path), tags=sorted(TAGS))
        self._functions = dict(self._model.signatures)

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
            tf.errors.OpError: The model failed.
        """
        function = self._functions.get(signature_name)
        if function is None:
            raise FailedPrecondition(f'Serving signature key "{signature_name}" not found.')
        outputs = function(**{name: tf.constant(array) for name, array in inputs.items()})
        return {name: _to_array(tensor) for name, tensor in outputs.items()}


def _read_meta_graph(path: Path) -> Any:
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
        if set(meta_graph.meta_info_def.tags) == TAGS:
            return meta_graph
    raise NotFound(
        "Could not find meta graph def matching supplied tags: { serve }. To inspect available "
        "tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
    )


def _to_array(tensor: Any) -> np.ndarray:
    value = tensor.numpy()
    if isinstance(value, bytes):
        # A scalar string comes as plain bytes.
        array = np.empty((), object)
        array[()] = value
        return array
    return value
