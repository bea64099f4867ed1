"""Version folders under a model's base path, and which of them to serve."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SAVED_MODEL_FILES: Final = ("saved_model.pb", "saved_model.pbtxt")
TFLITE_FILE: Final = "model.tflite"
_NUMBER = re.compile(r"[0-9]+")
MAX_LOOKS: Final = 10
_MAX_VERSION: Final = 2**63 - 1


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions that a folder holds are served: the highest ones that load.

    Args:
        limit: How many; None serves every version.
        only: The numbers of those that may be served; None allows all.
    """

    limit: int | None = 1
    only: frozenset[int] | None = None

    def choose(self, found: Collection[int]) -> Sequence[int]:
        """Returns the versions that may be served, the newest first."""
        return sorted(found if self.only is None else self.only & set(found), reverse=True)


def list_versions(
    base_path: Path, model_files: Sequence[str] = SAVED_MODEL_FILES
) -> dict[int, Path] | None:
    """Returns the folders that hold a model, by version number; None where nothing can be read.

    That may pass, and is no reason to unload what is served. A folder with one of the files holds
    a model; one without is being copied.
    """
    # Versions may come and go between the reading of a folder and the look into each of them. So
    # what is seen counts once it is seen twice: else one that replaces another could be missed.
    # That there is nothing, for which a model is unloaded, counts at the last look only.
    seen = _look(base_path, model_files)
    for _ in range(MAX_LOOKS - 1):
        before, seen = seen, _look(base_path, model_files)
        if seen and seen == before:
            break
    return seen


def _look(base_path: Path, model_files: Sequence[str]) -> dict[int, Path] | None:
    try:
        children = sorted(base_path.iterdir())
    except OSError:
        return None
    numbered = {int(c.name): c for c in children if _NUMBER.fullmatch(c.name)}
    # The newest first, so that little time passes before the look into the one that matters most.
    return {
        version: numbered[version]
        for version in sorted(numbered, reverse=True)
        if version <= _MAX_VERSION and find_file(numbered[version], model_files) is not None
    }


def find_file(path: Path, names: Sequence[str]) -> Path | None:
    """Returns the first of these files that a folder has, None where it has none."""
    return next((path / name for name in names if (path / name).is_file()), None)
