"""Training with Keras: the head first, then the top of the backbone as well."""

import importlib.util
import math
import time
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from darkroom.records.training import Phase
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.distribution import STALL_SECONDS, Cluster, Watchdog
from darkroom.trainer.engines import replicated
from darkroom.trainer.engines.callbacks import CosineDecay, EpochLog, KeepBest, StopLog
from darkroom.trainer.errors import TrainerError
from darkroom.trainer.history import History
from darkroom.trainer.model import BACKBONE


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


class Replicas(NamedTuple):
    """How several replicas train one model; the batches are this worker's share.

    Attributes:
        strategy: What `darkroom.trainer.distribution.create_strategy` returned.
        cluster: The workers.
        stall_seconds: Longest time without progress before this worker gives up.
    """

    strategy: tf.distribute.Strategy
    cluster: Cluster
    stall_seconds: float = STALL_SECONDS


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
        model: What `darkroom.trainer.model.build_model` returned.
        train_batches: uint8 [N, H, W, 3] and int64 [N]; one pass is one epoch.
        eval_batches: Likewise, never augmented.
        config: The recipe's `trainer` section.
        log_folder: Where TensorBoard's events go, if TensorBoard is installed.
        replicas: Who else trains it; None: nobody.

    Returns:
        Losses, accuracies and seconds of every epoch.

    Raises:
        TrainerError: No epoch ended with a finite `val_loss`.
        DistributionError: Another worker was lost.
    """
    started = time.monotonic()
    history, keep_best = History(), KeepBest(config.early_stopping_patience)
    if replicas is None:
        _fit_alone(model, train_batches, eval_batches, config, log_folder, history, keep_best)
    else:
        _fit_together(
            model, train_batches, eval_batches, config, log_folder, history, keep_best, replicas
        )
    if not math.isfinite(history.best.val_loss):
        raise TrainerError(
            f"val_loss was {history.best.val_loss} in every epoch; lower head_learning_rate "
            f"{config.head_learning_rate:g} and fine_tune_learning_rate "
            f"{config.fine_tune_learning_rate:g}"
        )
    keep_best.restore(model)
    history.seconds = time.monotonic() - started
    return history


def _fit_alone(
    model: keras.Model,
    train_batches: tf.data.Dataset,
    eval_batches: tf.data.Dataset,
    config: TrainerConfig,
    log_folder: Path | None,
    history: History,
    keep_best: KeepBest,
) -> None:
    encode = _label_encoder(model)

    def encoded(batches: tf.data.Dataset) -> tf.data.Dataset:
        return batches.map(lambda images, labels: (images, encode(labels)))

    train_batches, eval_batches = encoded(train_batches), encoded(eval_batches)
    for plan in plan_phases(config):
        set_trainable(model, plan.phase, config)
        _compile(model, plan, config)
        _make_variables(model)
        model.fit(
            train_batches,
            validation_data=eval_batches,
            epochs=plan.epochs,
            verbose=0,
            callbacks=_callbacks(plan, config, log_folder, history, keep_best),
        )


def _fit_together(
    model: keras.Model,
    train_batches: tf.data.Dataset,
    eval_batches: tf.data.Dataset,
    config: TrainerConfig,
    log_folder: Path | None,
    history: History,
    keep_best: KeepBest,
    replicas: Replicas,
) -> None:
    strategy, is_chief = replicas.strategy, replicas.cluster.is_chief
    watchdog = Watchdog(replicas.stall_seconds)
    with watchdog.watching():
        together = replicated.replicate(model, strategy)
        for plan in plan_phases(config):
            set_trainable(together, plan.phase, config)
            with strategy.scope():
                _compile(together, plan, config)
            folder = log_folder if is_chief else None
            callbacks = _callbacks(plan, config, folder, history, keep_best, is_chief)
            replicated.fit(
                together,
                strategy,
                train_batches,
                eval_batches,
                _label_encoder(model),
                config,
                plan.epochs,
                callbacks,
                watchdog,
            )


def _callbacks(
    plan: PhasePlan,
    config: TrainerConfig,
    log_folder: Path | None,
    history: History,
    keep_best: KeepBest,
    is_chief: bool = True,
) -> list[keras.callbacks.Callback]:
    total = sum(each.epochs for each in plan_phases(config))
    return [
        CosineDecay(plan.learning_rate, plan.epochs),
        # Before those that look at the weights: at an epoch's end it puts the average in.
        *_weight_average(config),
        EpochLog(history, plan.phase, total, reports=is_chief),
        keep_best,
        StopLog(history, plan.phase, plan.epochs, config.early_stopping_patience, is_chief),
        *_tensorboard(log_folder, plan.phase),
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
    binary = model.output_shape[-1] == 1
    loss = keras.losses.BinaryCrossentropy if binary else keras.losses.CategoricalCrossentropy
    model.compile(
        optimizer=keras.optimizers.Adam(
            plan.learning_rate,
            use_ema=config.weight_average > 0,
            ema_momentum=config.weight_average,
        ),
        loss=loss(label_smoothing=config.label_smoothing),
        metrics=["accuracy"],
        jit_compile="auto" if tf.config.list_physical_devices("GPU") else False,
    )


def _make_variables(model: keras.Model) -> None:
    """Makes the optimizer's and the metrics' variables before the training step is traced.

    A `tf.function` that makes variables when it is first called is traced a second time, which
    for a whole backbone takes longer than several epochs on a small set.
    """
    model.optimizer.build(model.trainable_variables)
    image = tf.zeros((1, *model.input_shape[1:]), tf.uint8)
    target = tf.zeros((1, model.output_shape[-1]))
    # As batches, so that the evaluation is traced for any number of images.
    batches = tf.data.Dataset.from_tensor_slices((image, target)).batch(1)
    model.evaluate(batches, verbose=0)


def _weight_average(config: TrainerConfig) -> list[keras.callbacks.Callback]:
    if not config.weight_average:
        return []
    return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]


def _label_encoder(model: keras.Model) -> replicated.LabelEncoder:
    """int64 labels [N] to what the loss compares: one-hot [N, C], or float [N, 1] for sigmoid."""
    classes = model.output_shape[-1]

    def encode(labels: tf.Tensor) -> tf.Tensor:
        if classes == 1:
            return tf.cast(labels[:, tf.newaxis], tf.float32)
        return tf.one_hot(labels, classes)

    return encode


def _tensorboard(log_folder: Path | None, phase: Phase) -> list[keras.callbacks.Callback]:
    """TensorBoard is no dependency of TensorFlow 2.21, so it is used where it happens to be."""
    if log_folder is None or importlib.util.find_spec("tensorboard") is None:
        return []
    return [keras.callbacks.TensorBoard(str(log_folder / phase), write_graph=False)]
