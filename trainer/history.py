"""What has happened in a training so far, and the record of it in the end."""

from dataclasses import dataclass, field
from typing import Any

from darkroom.records.training import EpochRecord, Phase, TrainingRecord, find_best


@dataclass(frozen=True)
class EarlyStop:
    """A phase that ended before its last epoch.

    Args:
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


@dataclass
class History:
    """All epochs, which of them was kept, what ended early, and how long everything took."""

    epochs: list[EpochRecord] = field(default_factory=list)
    early_stops: list[EarlyStop] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def best(self) -> EpochRecord:
        """The first epoch with the lowest `val_loss`; its weights are the model's."""
        return find_best(self.epochs)

    def to_record(self, config: dict[str, Any]) -> TrainingRecord:
        """What is to be known of a training with `config`."""
        stops = tuple(stop.describe(self.best) for stop in self.early_stops)
        return TrainingRecord(tuple(self.epochs), stops, self.seconds, config)
