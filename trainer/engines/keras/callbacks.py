"""What happens around an epoch: learning rate, record, and keeping the best weights."""

import logging
import math
import time
from collections.abc import Mapping

import keras
import numpy as np

from darkroom.records import progress
from darkroom.records.training import EpochRecord, Phase
from darkroom.trainer.history import EarlyStop, History

PROGRESS = logging.getLogger("darkroom.progress")
"""Lines for the user, one an epoch, and one where there are fewer than planned."""


class CosineDecay(keras.callbacks.Callback):
    """Lets the learning rate fall along a half cosine, epoch by epoch.

    By epochs and not by steps, so that nobody has to count the examples first.

    Args:
        peak: Learning rate of the first epoch.
        epochs: Epochs until it would reach 0.
    """

    def __init__(self, peak: float, epochs: int) -> None:
        super().__init__()
        self._peak = peak
        self._epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Sets the optimizer's learning rate for this epoch."""
        rate = self._peak * 0.5 * (1.0 + math.cos(math.pi * epoch / self._epochs))
        self.model.optimizer.learning_rate = rate


class EpochLog(keras.callbacks.Callback):
    """Appends each epoch to the history and tells the user about it.

    Args:
        total_epochs: Epochs of all phases, for the line's "3/12".
        reports: Whether the user is told; of several workers, the chief does it.
    """

    def __init__(
        self, history: History, phase: Phase, total_epochs: int, reports: bool = True
    ) -> None:
        super().__init__()
        self._history = history
        self._phase = phase
        self._total_epochs = total_epochs
        self._reports = reports
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Notes the time."""
        progress.enter(f"epoch {len(self._history.epochs) + 1}/{self._total_epochs}")
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Records and reports the epoch's numbers."""
        numbers = logs or {}
        record = EpochRecord(
            phase=self._phase,
            epoch=len(self._history.epochs) + 1,
            loss=float(numbers["loss"]),
            accuracy=float(numbers["accuracy"]),
            val_loss=float(numbers["val_loss"]),
            val_accuracy=float(numbers["val_accuracy"]),
            seconds=round(time.monotonic() - self._started, 3),
        )
        self._history.epochs.append(record)
        if self._reports:
            PROGRESS.info(format_epoch(record, self._total_epochs))


def format_epoch(record: EpochRecord, total_epochs: int) -> str:
    """One line such as `epoch 3/12 fine-tune  loss 0.132  accuracy 0.968 ...`."""
    name = record.phase.replace("_", "-")
    return (
        f"epoch {record.epoch}/{total_epochs} {name:<9}  loss {record.loss:.3f}  "
        f"accuracy {record.accuracy:.3f}  val_loss {record.val_loss:.3f}  "
        f"val_accuracy {record.val_accuracy:.3f}  {record.seconds:.1f} s"
    )


class StopLog(keras.callbacks.Callback):
    """Notes a fit that ends before its last epoch, and tells the user about it.

    Args:
        patience: That of `KeepBest`; None where nothing can end a fit.
        reports: Whether the user is told; of several workers, the chief does it.
    """

    def __init__(
        self,
        history: History,
        phase: Phase,
        epochs: int,
        patience: int | None,
        reports: bool = True,
    ) -> None:
        super().__init__()
        self._history = history
        self._phase = phase
        self._epochs = epochs
        self._patience = patience
        self._reports = reports

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Compares the epochs that ran with those planned."""
        ran = sum(record.phase == self._phase for record in self._history.epochs)
        if self._patience is None or ran >= self._epochs:
            return
        stop = EarlyStop(self._phase, ran, self._epochs, self._patience)
        self._history.early_stops.append(stop)
        if self._reports:
            PROGRESS.info(stop.describe(self._history.best))


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the lowest `val_loss` over several fits; ends a fit that stalls.

    Keras' EarlyStopping starts anew with every fit, so a fine-tuning that only makes the model
    worse would replace the better head-only model.

    Args:
        patience: Epochs without a better `val_loss` until a fit ends; None for never.
    """

    def __init__(self, patience: int | None) -> None:
        super().__init__()
        self._patience = patience
        self._best_loss = math.inf
        self._best_weights: list[np.ndarray] | None = None
        self._waited = 0

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Gives each fit its full patience."""
        self._waited = 0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keeps the weights if they are the best so far, else counts."""
        loss = float((logs or {})["val_loss"])
        if loss < self._best_loss:
            self._best_loss, self._waited = loss, 0
            self._best_weights = self.model.get_weights()
            return
        self._waited += 1
        if self._patience is not None and self._waited >= self._patience:
            self.model.stop_training = True

    def restore(self, model: keras.Model) -> None:
        """Puts the best weights into `model`; nothing changes if no `val_loss` was finite."""
        if self._best_weights is not None:
            model.set_weights(self._best_weights)
