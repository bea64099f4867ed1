"""A SavedModel that can be asked; imports TensorFlow."""

import contextlib
import copy
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow.python.client import pywrap_tf_session

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.deadlines import NO_DEADLINE, count_milliseconds
from darkroom.serving.model_server.errors import Code, FailedPrecondition, NotFound, StatusError
from darkroom.serving.model_server.models.versions import SAVED_MODEL_FILES, find_file

TAGS: Final = frozenset({"serve"})


class SavedModel:
    """The signatures of one SavedModel, made by TF1 or TF2.

    Runs them in a session, as TensorFlow Serving does: it takes a third of the time of TF2's
    functions to call, and leaves nothing behind, where they leave megabytes of each model that
    decodes images in `tf.data`.

    Args:
        tags: Tags of the graph to load.
        session_config: `ConfigProto` of its session; None leaves that to TensorFlow.

    Raises:
        NotFound: The folder has no SavedModel, or none of these tags.
        StatusError: DATA_LOSS, because the file is no SavedModel.
        Exception: Whatever TensorFlow raises on another fault.
    """

    def __init__(
        self,
        path: Path,
        tags: Collection[str] = TAGS,
        session_config: Any = None,
    ) -> None:
        meta_graph = _read_meta_graph(path, tags)
        # Copied: a part of a message keeps all of it, and that is the graph with its constants.
        self.signature_defs: Mapping[str, Any] = {
            name: copy.deepcopy(signature) for name, signature in meta_graph.signature_def.items()
        }
        graph = tf.Graph()
        with graph.as_default():
            self._session = tf.compat.v1.Session(graph=graph, config=session_config)
            tf.compat.v1.saved_model.load(self._session, sorted(tags), str(path))
        # Else done by `Session.run`, of which a model without variables needs none.
        self._session._extend_graph()
        self._calls = {
            name: _find_unfed(signature) or _Call(signature, graph)
            for name, signature in self.signature_defs.items()
            if not name.startswith("__saved_model_")
        }

    def run(
        self,
        signature_name: str,
        inputs: Mapping[str, np.ndarray],
        deadline: float = NO_DEADLINE,
    ) -> dict[str, np.ndarray]:
        """Runs a signature; TensorFlow stops at the deadline.

        The inputs' shapes may contradict the signature's, as in TensorFlow Serving.

        Raises:
            FailedPrecondition: A signature that is listed, yet cannot be called.
            NotFound: A signature with a sparse tensor, which TensorFlow Serving cannot feed.
            StatusError: DEADLINE_EXCEEDED; the time was over before.
            tf.errors.OpError: The model failed, or its time was over.
        """
        call = self._calls.get(signature_name)
        if call is None:
            raise FailedPrecondition(f'Serving signature key "{signature_name}" not found.')
        if isinstance(call, str):
            raise NotFound(call)
        feeds = {call.feeds[name]: array for name, array in inputs.items()}
        with _run_options(count_milliseconds(deadline)) as options:
            # What `Session.run` calls once it has held the feeds' shapes against the graph's,
            # which TensorFlow Serving does not; and a call takes a sixth of the time.
            outputs = self._session._call_tf_sessionrun(options, feeds, call.fetches, [], None)
        return {name: _to_array(value) for name, value in zip(call.names, outputs, strict=True)}


class _Call:
    """What to feed for a signature, by input name, and what to fetch, in the order of `names`."""

    def __init__(self, signature: Any, graph: tf.Graph) -> None:
        def find(info: Any) -> Any:
            return graph.get_tensor_by_name(info.name)._as_tf_output()

        self.feeds = {name: find(info) for name, info in signature.inputs.items()}
        self.names = list(signature.outputs)
        self.fetches = [find(signature.outputs[name]) for name in self.names]


@contextlib.contextmanager
def _run_options(milliseconds: int) -> Iterator[Any]:
    if not milliseconds:
        yield None
        return
    options = config_pb2.RunOptions(timeout_in_ms=milliseconds)
    buffer = pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())
    try:
        yield buffer
    finally:
        pywrap_tf_session.TF_DeleteBuffer(buffer)


def create_session_config(config: ServerConfig) -> Any:
    """Returns what a server's configuration says of sessions, as TensorFlow Serving reads it."""
    intra, inter = config.tensorflow_intra_op_parallelism, config.tensorflow_inter_op_parallelism
    if not (intra or inter):
        intra = inter = config.tensorflow_session_parallelism
    session_config = config_pb2.ConfigProto(
        intra_op_parallelism_threads=intra, inter_op_parallelism_threads=inter
    )
    fraction = config.per_process_gpu_memory_fraction
    session_config.gpu_options.per_process_gpu_memory_fraction = fraction
    return session_config


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
    file = find_file(path, SAVED_MODEL_FILES)
    if file is None:
        raise NotFound(
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}"
        )
    saved_model = saved_model_pb2.SavedModel()
    try:
        if file.suffix == ".pb":
            saved_model.ParseFromString(file.read_bytes())
        else:
            text_format.Parse(file.read_text(), saved_model)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError):
        kind = "binary" if file.suffix == ".pb" else "text"
        raise StatusError(Code.DATA_LOSS, f"Can't parse {file} as {kind} proto") from None
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
