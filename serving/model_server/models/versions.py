"""Version folders under a model's base path."""

import re
from pathlib import Path
from typing import Final

SAVED_MODEL_FILES: Final = ("saved_model.pb", "saved_model.pbtxt")
_NUMBER = re.compile(r"[0-9]+")
_MAX_VERSION: Final = 2**63 - 1


def list_versions(base_path: Path) -> dict[int, Path] | None:
    """Returns the version folders that hold a SavedModel, by version number.

    Returns:
        An empty dict where the folder has no version; None where it cannot be read, which may
        pass and is no reason to unload what is served.
    """
    try:
        children = sorted(base_path.iterdir())
    except OSError:
        return None
    numbered = {int(c.name): c for c in children if _NUMBER.fullmatch(c.name)}
    return {
        version: path
        for version, path in numbered.items()
        if version <= _MAX_VERSION and find_saved_model_file(path) is not None
    }


def find_saved_model_file(path: Path) -> Path | None:
    """Returns the file that makes a folder a SavedModel, None where there is none."""
    return next((path / name for name in SAVED_MODEL_FILES if (path / name).is_file()), None)
