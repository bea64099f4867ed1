"""The phases of a training: the head first, then the top of the backbone as well."""

import importlib.util
import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from darkroom.records.training import Phase
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.callbacks import CosineDecay, EpochLog, KeepBest, StopLog
from darkroom.trainer.engines.keras.loop import Loop
from darkroom.trainer.engines.keras.model import BACKBONE
from darkroom.trainer.engines.keras.replicas import Replicas
from darkroom.trainer.errors import TrainerError
from darkroom.trainer.history import History
from darkroom.trainer.watchdog import Watchdog


class PhasePlan(NamedTuple):
    """One phase: its name, its epochs and its peak learning rate."""

    phase: Phase
    epochs: int
    learning_rate: float


def plan_phases(config: TrainerConfig) -> list[PhasePlan]:
    """The phases that have epochs, in order."""
    plans = [
        PhasePlan("head", config.head_epochs, config.head_learning_rate),
        PhasePlan("fine_tune", config.fine_tune_epochs, config.fine_tune_learning_rate),
    ]
    return [plan for plan in plans if plan.epochs > 0]


def train(
    model: keras.Model,
    train_batches: tf.data.Dataset,
    eval_batches: tf.data.Dataset,
    config: TrainerConfig,
    log_folder: Path | None = None,
    replicas: Replicas | None = None,
) -> History:
    """Trains `model` in place; it ends with the weights of the epoch with the lowest `val_loss`.

    Args:
        model: What `build_model` returned, in the strategy's scope.
        train_batches: uint8 [N, H, W, 3] and targets float32 [N, C], this worker's share; one pass
            is one epoch.
        eval_batches: Likewise, never augmented.
        log_folder: Where TensorBoard's events go, if TensorBoard is installed.
        replicas: What trains it; None: this process, on one device.

    Returns:
        Losses, accuracies and seconds of every epoch.

    Raises:
        TrainerError: No epoch ended with a finite `val_loss`.
        DistributionError: Another worker was lost.
    """
    started = time.monotonic()
    replicas = replicas or Replicas()
    history, keep_best = History(), KeepBest(config.early_stopping_patience)
    watchdog = Watchdog(replicas.stall_seconds)
    with watchdog.watching() if replicas.count > 1 else nullcontext(), replicas.strategy.scope():
        for plan in plan_phases(config):
            set_trainable(model, plan.phase, config)
            _compile(model, plan, config)
            Loop(model, replicas, config, watchdog).fit(
                train_batches,
                eval_batches,
                plan.epochs,
                _callbacks(plan, config, log_folder, history, keep_best, replicas),
            )
        keep_best.restore(model)
    if not math.isfinite(history.best.val_loss):
        raise TrainerError(
            f"val_loss was {history.best.val_loss} in every epoch; lower head_learning_rate "
            f"{config.head_learning_rate:g} and fine_tune_learning_rate "
            f"{config.fine_tune_learning_rate:g}"
        )
    history.seconds = time.monotonic() - started
    return history


def _callbacks(
    plan: PhasePlan,
    config: TrainerConfig,
    log_folder: Path | None,
    history: History,
    keep_best: KeepBest,
    replicas: Replicas,
) -> list[keras.callbacks.Callback]:
    is_chief = replicas.cluster.is_chief
    total = sum(each.epochs for each in plan_phases(config))
    return [
        CosineDecay(plan.learning_rate, plan.epochs),
        # Before those that look at the weights: at an epoch's end it puts the average in.
        *_weight_average(config),
        EpochLog(history, plan.phase, total, reports=is_chief),
        keep_best,
        StopLog(history, plan.phase, plan.epochs, config.early_stopping_patience, is_chief),
        *_tensorboard(log_folder if is_chief else None, plan.phase),
    ]


def set_trainable(model: keras.Model, phase: Phase, config: TrainerConfig) -> None:
    """Freezes the backbone but for what `phase` trains of it.

    A frozen batch normalization layer also uses its moving statistics instead of the batch's.
    """
    backbone = model.get_layer(BACKBONE)
    backbone.trainable = phase == "fine_tune"
    first = len(backbone.layers) - round(config.fine_tune_fraction * len(backbone.layers))
    for index, layer in enumerate(backbone.layers):
        frozen_norm = config.freeze_batch_norm and isinstance(
            layer, keras.layers.BatchNormalization
        )
        layer.trainable = phase == "fine_tune" and index >= first and not frozen_norm


def _compile(model: keras.Model, plan: PhasePlan, config: TrainerConfig) -> None:
    """XLA is left to GPUs: on a CPU it was measured 4 to 8 times slower for these models."""
    model.compile(
        optimizer=keras.optimizers.Adam(
            plan.learning_rate,
            use_ema=config.weight_average > 0,
            ema_momentum=config.weight_average,
        ),
        jit_compile="auto" if tf.config.list_physical_devices("GPU") else False,
    )


def _weight_average(config: TrainerConfig) -> list[keras.callbacks.Callback]:
    if not config.weight_average:
        return []
    return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]


def _tensorboard(log_folder: Path | None, phase: Phase) -> list[keras.callbacks.Callback]:
    """TensorBoard is no dependency of TensorFlow 2.21, so it is used where it happens to be."""
    if log_folder is None or importlib.util.find_spec("tensorboard") is None:
        return []
    return [keras.callbacks.TensorBoard(str(log_folder / phase), write_graph=False)]
