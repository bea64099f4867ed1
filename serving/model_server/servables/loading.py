"""From a version folder to a model; imports TensorFlow."""

from pathlib import Path

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.models.versions import TFLITE_FILE
from darkroom.serving.model_server.servables.saved_model import SavedModel, create_session_config
from darkroom.serving.model_server.servables.tflite import TfliteModel
from darkroom.serving.model_server.servables.threaded import Model


def load_model(path: Path, config: ServerConfig) -> Model:
    """Loads the model of a version folder.

    Args:
        path: Folder of a SavedModel, of a TFLite model, or of both.
        config: Whether to take the TFLite model where there is one, else it is not looked at; and
            of a SavedModel, which graph to load, and how its session runs.

    Raises:
        NotFound: The folder has no model.
        Exception: The model is broken.
    """
    if config.prefer_tflite_model and (path / TFLITE_FILE).is_file():
        return TfliteModel(path)
    return SavedModel(path, config.saved_model_tags, create_session_config(config))
