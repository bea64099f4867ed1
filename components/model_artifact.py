"""Where a Model artifact keeps its SavedModel."""

from pathlib import Path

from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

SERVING_MODEL = "Format-Serving"
"""TFX's name for the SavedModel within a Model artifact."""


def serving_model(artifacts: list[Artifact]) -> Path:
    """The SavedModel of the one Model artifact given; it need not exist."""
    return Path(artifact_utils.get_single_uri(artifacts)) / SERVING_MODEL
