from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from darkroom.samples.digits import encode_png, select_digits
from darkroom.tests.trainer.test_input import as_examples
from darkroom.trainer.augmentation.config import AugmentationConfig
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.loop import Loop
from darkroom.trainer.engines.keras.model import BACKBONE, build_model
from darkroom.trainer.engines.keras.training import plan_phases, set_trainable, train
from darkroom.trainer.errors import TrainerError
from darkroom.trainer.input import eval_batches, train_batches
from darkroom.transform.images import decode_images

SMALL = {"backbone": "mobilenet_v2", "alpha": 0.35, "dropout": 0.0}


def digits(classes: int, per_class: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `classes` digits, in mixed order."""
    chosen = [digit for digit in select_digits(per_class) if digit.label < classes]
    encoded = tf.constant([encode_png(digit.pixels) for digit in chosen])
    images, _ = decode_images(encoded, size, size, "stretch")
    return images.numpy(), np.array([digit.label for digit in chosen], np.int64)


def fit(config: TrainerConfig, images: np.ndarray, labels: np.ndarray, log_folder=None):
    """Trains on every other image and evaluates on the rest."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(config.seed)
    classes = int(labels.max()) + 1
    model = build_model(config, classes, *images.shape[1:3])
    half = [as_examples(images[i::2], labels[i::2]) for i in (0, 1)]
    history = train(
        model,
        train_batches(half[0], config, classes, Path()),
        eval_batches(half[1], config, classes, Path()),
        config,
        log_folder,
    )
    return model, history


def test_phases_without_epochs_are_left_out():
    config = TrainerConfig(head_epochs=0, fine_tune_epochs=3, fine_tune_learning_rate=0.5)
    assert plan_phases(config) == [("fine_tune", 3, 0.5)]
    assert [plan.phase for plan in plan_phases(TrainerConfig())] == ["head", "fine_tune"]


@pytest.mark.parametrize("freeze", [True, False])
def test_what_each_phase_trains(freeze):
    config = TrainerConfig(
        **SMALL, weights="none", fine_tune_fraction=0.25, freeze_batch_norm=freeze
    )
    model = build_model(config, 3, 32, 32)
    set_trainable(model, "head", config)
    assert len(model.trainable_weights) == 2, "kernel and bias of the head"
    set_trainable(model, "fine_tune", config)
    layers = model.get_layer(BACKBONE).layers
    top = layers[len(layers) - round(0.25 * len(layers)) :]
    norms = [layer for layer in top if isinstance(layer, keras.layers.BatchNormalization)]
    assert norms
    assert all(layer.trainable != freeze for layer in norms)
    assert all(layer.trainable for layer in top if layer not in norms)
    assert not any(layer.trainable for layer in layers[: -len(top)])


def test_head_phase_leaves_the_backbone_as_it_was(tmp_path):
    images, labels = digits(2, 6, 32)
    config = TrainerConfig(**SMALL, weights="none", head_epochs=1, fine_tune_epochs=0)
    keras.utils.set_random_seed(config.seed)
    before = build_model(config, 2, 32, 32).get_layer(BACKBONE).get_weights()
    model, history = fit(config, images, labels, log_folder=tmp_path)
    after = model.get_layer(BACKBONE).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert [record.phase for record in history.epochs] == ["head"]
    assert history.seconds > 0


def test_training_that_diverges_says_what_to_lower():
    images, labels = digits(2, 2, 32)
    config = TrainerConfig(**SMALL, weights="none", head_epochs=1, fine_tune_epochs=0)
    model = build_model(config, 2, 32, 32)
    model.layers[-1].set_weights([np.full_like(w, np.nan) for w in model.layers[-1].get_weights()])
    batches = eval_batches(as_examples(images, labels), config, 2, Path())
    with pytest.raises(TrainerError, match="val_loss was nan in every epoch; lower head_learning"):
        train(model, batches, batches, config)


def test_model_ends_with_the_best_epochs_weights_and_sigmoid_trains():
    images, labels = digits(2, 8, 32)
    config = TrainerConfig(
        **SMALL,
        weights="letters",
        head="sigmoid",
        batch_size=4,
        head_epochs=2,
        head_learning_rate=0.01,
        fine_tune_epochs=3,
        fine_tune_learning_rate=0.5,
        fine_tune_fraction=0.2,
    )
    model, history = fit(config, images, labels)
    best = history.best
    assert best.val_loss < max(record.val_loss for record in history.epochs)
    again = keras.losses.BinaryCrossentropy()(
        labels[1::2, np.newaxis].astype(np.float32), model(images[1::2], training=False)
    )
    np.testing.assert_allclose(float(again), best.val_loss, rtol=1e-3, atol=1e-5)


def test_letters_transfer_to_digits():
    images, labels = digits(10, 20, 64)
    shared = {
        **SMALL,
        "batch_size": 25,
        "head_epochs": 8,
        "head_learning_rate": 0.01,
        "fine_tune_epochs": 0,
        "early_stopping_patience": None,
        "augmentation": AugmentationConfig(),
    }
    accuracies = {
        weights: fit(TrainerConfig(**shared, weights=weights), images, labels)[1].best.val_accuracy
        for weights in ("letters", "none")
    }
    assert accuracies["letters"] > 0.75
    assert accuracies["letters"] > accuracies["none"] + 0.3


def test_averaged_weights_are_validated_and_kept():
    images, labels = digits(2, 12, 32)
    settings = {**SMALL, "weights": "none", "head_epochs": 2, "fine_tune_epochs": 0}
    settings |= {"batch_size": 2, "head_learning_rate": 0.01}
    plain, _ = fit(TrainerConfig(**settings), images, labels)
    averaged, history = fit(TrainerConfig(**settings, weight_average=0.8), images, labels)
    kernels = [model.layers[-1].get_weights()[0] for model in (plain, averaged)]
    assert not np.allclose(*kernels)
    loss = keras.losses.CategoricalCrossentropy()(
        np.eye(2)[labels[1::2]], averaged(images[1::2], training=False)
    )
    assert float(loss) == pytest.approx(history.best.val_loss, abs=1e-5)


def test_the_training_step_is_traced_once_a_phase(monkeypatch):
    traces = []
    original = Loop._train_replica

    def count(self, *arguments):
        traces.append(self)
        return original(self, *arguments)

    monkeypatch.setattr(Loop, "_train_replica", count)
    images, labels = digits(2, 4, 32)
    settings = {**SMALL, "weights": "none", "head_epochs": 2, "fine_tune_epochs": 0}
    fit(TrainerConfig(**settings, batch_size=3), images, labels)
    assert len(traces) == 1, "of the last batch, which is smaller, too"
