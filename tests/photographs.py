"""Real photographs, which are not part of the project.

They are the public clothing-dataset-small (CC0): its folders `train` and `test` of one folder per
class lie in `clothing` of the folder that DARKROOM_PHOTOS names, else of `shared/photos` beside the
checkout.
"""

import os
from pathlib import Path

from darkroom.tests.programs import give_up

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "photos"


def find_clothing() -> Path:
    """The folder `clothing`; without it a test fails in CI, and is skipped elsewhere."""
    folder = Path(os.environ.get("DARKROOM_PHOTOS") or BESIDE) / "clothing"
    if not folder.is_dir():
        give_up(f"no photographs in {folder}; DARKROOM_PHOTOS names the folder that has clothing/")
    return folder
