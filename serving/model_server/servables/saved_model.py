"""A SavedModel that can be asked; imports TensorFlow."""

import copy
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

    Runs them in a session, as TensorFlow Serving does: it takes a third of the time of TF2's
    functions to call, and leaves nothing behind, where they leave megabytes of each model that
    decodes images in `tf.data`.

    Args:
        path: Folder of the SavedModel.
        tags: Tags of the graph to load.

    Raises:
        NotFound: The folder has no SavedModel, or none of these tags.
        Exception: Whatever TensorFlow raises on a broken one.
    """

    def __init__(self, path: Path, tags: Collection[str] = TAGS) -> None:
        meta_graph = _read_meta_graph(path, tags)
        # Copied: a part of a message keeps all of it, and that is the graph with its constants.
        self.signature_defs: Mapping[str, Any] = {
            name: copy.deepcopy(signature) for name, signature in meta_graph.signature_def.items()
        }
        graph = tf.Graph()
        with graph.as_default():
            placeholders = _create_placeholders(meta_graph)
            self._session = tf.compat.v1.Session(graph=graph)
            tf.compat.v1.saved_model.load(
                self._session, sorted(tags), str(path), input_map=placeholders
            )
        self._calls = {
            name: _find_unfed(signature) or _Call(signature, graph, placeholders)
            for name, signature in self.signature_defs.items()
            if not name.startswith("__saved_model_")
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
        call = self._calls.get(signature_name)
        if call is None:
            raise FailedPrecondition(f'Serving signature key "{signature_name}" not found.')
        if isinstance(call, str):
            raise NotFound(call)
        feeds = {call.feeds[name]: array for name, array in inputs.items()}
        try:
            outputs = self._session.run(call.fetches, feeds)
        except tf.errors.OpError as error:
            # The session wraps the model's error into one with the trace of making the graph.
            raise error.__context__ or error from None
        return {name: _to_array(value) for name, value in outputs.items()}


class _Call:
    """What to feed for a signature and what to fetch, by the names of its inputs and outputs."""

    def __init__(
        self, signature: Any, graph: tf.Graph, placeholders: Mapping[str, tf.Tensor]
    ) -> None:
        def find(info: Any) -> tf.Tensor:
            if info.name in placeholders:
                return placeholders[info.name]
            return graph.get_tensor_by_name(info.name)

        self.feeds = {name: find(info) for name, info in signature.inputs.items()}
        self.fetches = {name: find(info) for name, info in signature.outputs.items()}


def _create_placeholders(meta_graph: Any) -> dict[str, tf.Tensor]:
    """Returns placeholders of any shape for those that signatures feed, by their tensors' names.

    The graph's own have a shape, which a session would insist on; TensorFlow Serving does not.
    """
    signatures = meta_graph.signature_def.values()
    fed = {info.name for signature in signatures for info in signature.inputs.values()}
    return {
        f"{node.name}:0": tf.compat.v1.placeholder(tf.as_dtype(node.attr["dtype"].type))
        for node in meta_graph.graph_def.node
        if node.op in ("Placeholder", "PlaceholderV2") and f"{node.name}:0" in fed
    }


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


def _to_array(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    # A scalar comes as plain bytes, or as a number of numpy's.
    array = np.empty((), object if isinstance(value, bytes) else value.dtype)
    array[()] = value
    return array
