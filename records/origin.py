"""Where a pushed model comes from: a file beside its warm-up requests, no part of the model.

Schema: `{"recipe": str, "run": str | null, "metrics": {metric: float | null}, "digest": str}`.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from darkroom.records.evaluation import Metrics
from darkroom.storage.fingerprint import WARMUP_FOLDER

ORIGIN_FILE: Final = f"{WARMUP_FOLDER}/darkroom.json"


@dataclass(frozen=True)
class Origin:
    """Where it comes from.

    Attributes:
        recipe: The recipe's name.
        run: The run that made and pushed it; None on Kubeflow, which has its own.
        metrics: Of the whole eval split.
        digest: That of the SavedModel, by which it is known again.
    """

    recipe: str
    run: str | None
    metrics: Metrics
    digest: str

    def write(self, model: Path) -> None:
        """Writes the file into a SavedModel."""
        path = model / ORIGIN_FILE
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, find: Callable[[str], bytes | None]) -> "Origin | None":
        """Reads it; None where there is none, as of a model that others have pushed.

        Args:
            find: From a file's name in the SavedModel to its content.
        """
        content = find(ORIGIN_FILE)
        return cls(**json.loads(content)) if content else None
