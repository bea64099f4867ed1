"""The loop beside Keras' own `fit`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from darkroom.records import progress
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.loop import Loop
from darkroom.trainer.engines.keras.replicas import Replicas
from darkroom.trainer.watchdog import Watchdog

CONFIG = TrainerConfig(weights="none", label_smoothing=0.1)


def small_model(outputs: int, activation: str) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.3, seed=1),
        keras.layers.Dense(outputs, activation),
    ]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers])


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_it_trains_and_measures_what_fit_does(head):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (7, 8, 8, 3)).astype(np.uint8)
    targets = np.eye(2, dtype=np.float32)[random.integers(0, 2, 7)]
    config = CONFIG.model_copy(update={"head": head})
    ours, theirs = (small_model(2 if head == "softmax" else 1, head) for _ in range(2))
    for model in (ours, theirs):
        kind = "Categorical" if head == "softmax" else "Binary"
        loss = getattr(keras.losses, f"{kind}Crossentropy")(label_smoothing=0.1)
        model.compile(keras.optimizers.Adam(0.01), loss=loss, metrics=["accuracy"])
    logs, counted = [], []

    def note(epoch: int, log: dict[str, float]) -> None:
        logs.append(log)
        counted.append(progress.look())

    keep = keras.callbacks.LambdaCallback(on_epoch_end=note)

    def batches(labels: np.ndarray) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices((images, labels)).batch(3)

    Loop(ours, Replicas(), config, Watchdog(1)).fit(batches(targets), batches(targets), 3, [keep])
    compared = targets if head == "softmax" else targets[:, 1:]
    history = theirs.fit(
        batches(compared), validation_data=batches(compared), epochs=3, verbose=0
    ).history
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose([log[name] for log in logs], history[name], rtol=1e-5)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    # Of each epoch, three steps of training and three of measuring.
    assert [(each.done, each.total) for each in counted] == [(6, 18), (12, 18), (18, 18)]
    assert progress.look() is None
