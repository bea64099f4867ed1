"""The record of one training: what `history.json` holds."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Phase = Literal["head", "fine_tune"]


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Args:
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


@dataclass(frozen=True)
class EarlyStop:
    """A phase that ended before its last epoch.

    Args:
        phase: The phase.
        epoch: Its last epoch, from 1.
        epochs: How many it was to have.
        patience: For how many epochs `val_loss` had not improved.
    """

    phase: Phase
    epoch: int
    epochs: int
    patience: int

    def describe(self, best: EpochRecord) -> str:
        """One sentence, with the epoch whose weights are kept."""
        times = "epoch" if self.patience == 1 else f"{self.patience} epochs"
        return (
            f"{self.phase.replace('_', '-')} stopped early after epoch {self.epoch} of "
            f"{self.epochs}: val_loss had not improved for {times}; "
            f"weights of epoch {best.epoch} in all kept"
        )


def _number_or_infinity(value: float) -> float:
    return math.inf if math.isnan(value) else value


@dataclass
class History:
    """All epochs, which of them was kept, what ended early, and how long everything took."""

    epochs: list[EpochRecord] = field(default_factory=list)
    early_stops: list[EarlyStop] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def best(self) -> EpochRecord:
        """The first epoch with the lowest `val_loss`; its weights are the model's."""
        return min(self.epochs, key=lambda record: _number_or_infinity(record.val_loss))

    def to_dict(self, config: dict[str, Any]) -> dict[str, Any]:
        """The content of `history.json`, for a training with `config`."""
        return {
            "epochs": [asdict(record) for record in self.epochs],
            "best": asdict(self.best),
            "early_stops": [stop.describe(self.best) for stop in self.early_stops],
            "seconds": round(self.seconds, 3),
            "config": config,
        }
