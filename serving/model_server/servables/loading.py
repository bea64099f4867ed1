"""From a version folder to a model; imports TensorFlow."""

from collections.abc import Collection
from pathlib import Path

from serving.model_server.models.versions import TFLITE_FILE
from serving.model_server.servables.saved_model import SavedModel
from serving.model_server.servables.session_options import SessionOptions
from serving.model_server.servables.tflite import TfliteModel
from serving.model_server.servables.threaded import Model


def load_model(
    path: Path,
    tags: Collection[str],
    prefer_tflite: bool,
    options: SessionOptions | None = None,
) -> Model:
    """Loads the model of a version folder.

    Args:
        path: Folder of a SavedModel, of a TFLite model, or of both.
        tags: Tags of the graph to load from a SavedModel.
        prefer_tflite: Whether to take the TFLite model where there is one; else it is not looked
            at.
        options: How the session of a SavedModel runs; None leaves that to TensorFlow.

    Raises:
        NotFound: The folder has no model.
        Exception: The model is broken.
    """
    if prefer_tflite and (path / TFLITE_FILE).is_file():
        return TfliteModel(path)
    return SavedModel(path, tags, options)
