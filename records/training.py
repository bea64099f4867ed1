"""How a training went: `history.json` in the folder of Trainer's `model_run`."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from darkroom.records.machine import Machine

HISTORY_FILE: Final = "history.json"
Phase = Literal["head", "fine_tune"]


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Attributes:
        phase: `head` with a frozen backbone, or `fine_tune`.
        epoch: Number of the epoch over all phases, from 1.
        loss: Mean training loss, with augmentation and dropout.
        accuracy: Share of training images named right, likewise.
        val_loss: Mean loss on the eval split.
        val_accuracy: Share of eval images named right.
        seconds: Wall-clock time of the epoch, evaluation included.
    """

    phase: Phase
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


def find_best(epochs: Sequence[EpochRecord]) -> EpochRecord:
    """The first epoch with the lowest `val_loss`; its weights are the model's."""
    # Nothing is less than NaN, so that one would stay the lowest.
    return min(epochs, key=lambda each: math.inf if math.isnan(each.val_loss) else each.val_loss)


@dataclass(frozen=True)
class WeightsOrigin:
    """Where the weights that a training began with come from, and their licence (SPDX's name)."""

    source: str
    licence: str


@dataclass(frozen=True)
class TrainingRecord:
    """One training.

    Attributes:
        epochs: In order, over all phases; at least one.
        early_stops: A sentence for each phase that ended before its last epoch.
        config: The recipe's `trainer` section.
        machine: What it ran on; None where that is not known.
        weights: Where its first weights come from; likewise.
    """

    epochs: tuple[EpochRecord, ...]
    early_stops: tuple[str, ...] = ()
    seconds: float = 0.0
    config: Mapping[str, Any] = field(default_factory=dict)
    machine: Machine | None = None
    weights: WeightsOrigin | None = None

    @property
    def best(self) -> EpochRecord:
        """The epoch whose weights were kept."""
        return find_best(self.epochs)

    def write(self, folder: Path) -> None:
        """Writes `history.json`; makes the folder where there is none."""
        content = {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best": asdict(self.best),
            "early_stops": self.early_stops,
            "seconds": round(self.seconds, 3),
            "config": self.config,
            "machine": asdict(self.machine) if self.machine else None,
            "weights": asdict(self.weights) if self.weights else None,
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / HISTORY_FILE).write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "TrainingRecord":
        """Reads `history.json`; OSError where it is not there."""
        content = json.loads((folder / HISTORY_FILE).read_text())
        return cls(
            tuple(EpochRecord(**epoch) for epoch in content["epochs"]),
            tuple(content["early_stops"]),
            content["seconds"],
            content["config"],
            Machine.read(content["machine"]) if content["machine"] else None,
            WeightsOrigin(**content["weights"]) if content["weights"] else None,
        )
