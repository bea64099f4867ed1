"""What the shipped weights are worth: `python -m darkroom.benchmarks.transfer`.

Trains the digits recipe on all images and on 10 a class, each from the letter-pretrained weights,
with these frozen (only the head learns), and from random weights, with the same number of epochs.
The numbers come from the trainer's own model and engine.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from darkroom.recipe import load_recipe
from darkroom.samples.digits import encode_png, select_digits
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.model import build_model
from darkroom.trainer.engines.keras.training import train as train_model
from darkroom.trainer.examples import Examples
from darkroom.trainer.input import eval_batches, train_batches
from darkroom.transform.images import decode_image, decode_images

CLASSES = 10
SIZE = 64
HELD_OUT = 360
FEW = 10
"""Images of each class in the second half of the table."""
FEW_SETTINGS = {
    "head_epochs": 5,
    "fine_tune_epochs": 25,
    "batch_size": 32,
    "weight_average": 0.0,
}
"""With few images an epoch is only a few steps: more epochs, and no average over many steps."""
SCRATCH_LEARNING_RATE = 1e-2
"""Peak learning rate from random weights: the best of 1e-3, 3e-3 and 1e-2 on all images."""


class Digits(NamedTuple):
    """Encoded images, bytes [N], and labels int64 [N]."""

    encoded: np.ndarray
    labels: np.ndarray

    def as_examples(self) -> Examples:
        """What the engine reads, decoded as in the pipeline."""
        pairs = tf.data.Dataset.from_tensor_slices(tuple(self))
        return Examples(pairs, lambda encoded: decode_image(encoded, SIZE, SIZE, "stretch"))


class Score(NamedTuple):
    """One training: accuracy on the held-out digits, and seconds of training."""

    accuracy: float
    seconds: float


def read_digits() -> Digits:
    """All digits, as the files' bytes."""
    digits = select_digits()
    encoded = np.array([encode_png(digit.pixels) for digit in digits], object)
    return Digits(encoded, np.array([digit.label for digit in digits], np.int64))


def split(digits: Digits, seed: int, per_class: int | None) -> tuple[Digits, Digits]:
    """Random train and held-out digits; `per_class` limits the first."""
    order = np.random.default_rng(seed).permutation(len(digits.labels))
    held_out, train = order[:HELD_OUT], order[HELD_OUT:]
    if per_class is not None:
        by_class = [train[digits.labels[train] == label][:per_class] for label in range(CLASSES)]
        train = np.concatenate(by_class)
    return _take(digits, train), _take(digits, held_out)


def _take(digits: Digits, indices: np.ndarray) -> Digits:
    return Digits(digits.encoded[indices], digits.labels[indices])


def variants(config: TrainerConfig) -> Mapping[str, TrainerConfig]:
    """What is compared: the same epochs, augmentation and batches throughout."""
    epochs = config.head_epochs + config.fine_tune_epochs
    return {
        "letters, fine-tuned": config,
        "letters, frozen": _replace(config, head_epochs=epochs, fine_tune_epochs=0),
        "random weights": _replace(
            config,
            weights="none",
            head_epochs=0,
            fine_tune_epochs=epochs,
            fine_tune_fraction=1.0,
            fine_tune_learning_rate=SCRATCH_LEARNING_RATE,
            freeze_batch_norm=False,
        ),
    }


def _replace(config: TrainerConfig, **changes: Any) -> TrainerConfig:
    return TrainerConfig(**{**config.model_dump(), **changes})


def measure(config: TrainerConfig, train: Digits, held_out: Digits) -> Score:
    """Trains once; the accuracy is that of the model which the engine leaves."""
    started = time.monotonic()
    keras.backend.clear_session()
    keras.utils.set_random_seed(config.seed)
    model = build_model(config, CLASSES, SIZE, SIZE)
    with tempfile.TemporaryDirectory() as scratch:
        train_model(
            model,
            train_batches(train.as_examples(), config, CLASSES, Path(scratch)),
            eval_batches(held_out.as_examples(), config, CLASSES, Path(scratch)),
            config,
        )
    seconds = time.monotonic() - started
    images, _ = decode_images(tf.constant(held_out.encoded), SIZE, SIZE, "stretch")
    named = np.argmax(model.predict(images, verbose=0), axis=1)
    return Score(float(np.mean(named == held_out.labels)), seconds)


def summarize(scores: Sequence[Score]) -> dict[str, Any]:
    """Mean and standard deviation of the accuracy over seeds, mean seconds, all accuracies."""
    accuracies = [score.accuracy for score in scores]
    return {
        "accuracy": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "seconds": statistics.mean(score.seconds for score in scores),
        "accuracies": accuracies,
    }


def run(config: TrainerConfig, seeds: int, few_seeds: int) -> list[dict[str, Any]]:
    """Every row of the table."""
    digits = read_digits()
    few = _replace(config, **FEW_SETTINGS)
    halves = [("all 1,437", None, config, seeds), (f"{FEW} a class", FEW, few, few_seeds)]
    rows = []
    for images, per_class, base, count in halves:
        for variant, varied in variants(base).items():
            scores = [
                measure(_replace(varied, seed=seed), *split(digits, seed, per_class))
                for seed in range(1, count + 1)
            ]
            epochs = varied.head_epochs + varied.fine_tune_epochs
            summary = summarize(scores)
            rows.append({"images": images, "weights": variant, "epochs": epochs, **summary})
    return rows


def print_table(rows: Sequence[Mapping[str, Any]], seeds: int, few_seeds: int) -> None:
    """The rows as people read them."""
    table = Table(title=f"Held-out digits named right ({seeds} and {few_seeds} seeds)")
    for column in ("images", "weights", "epochs", "accuracy", "seconds"):
        table.add_column(column, justify="left" if column in ("images", "weights") else "right")
    for row in rows:
        spread = f" ± {row['sd']:.3f}" if len(row["accuracies"]) > 1 else ""
        accuracy = f"{row['accuracy']:.3f}{spread}"
        seconds = f"{row['seconds']:.0f}"
        table.add_row(row["images"], row["weights"], str(row["epochs"]), accuracy, seconds)
    Console(width=100).print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and writes it as JSON when asked to."""
    parser = argparse.ArgumentParser(prog="darkroom.benchmarks.transfer", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/digits.yaml"))
    parser.add_argument("--seeds", type=int, default=1, help="trainings on all images")
    parser.add_argument("--few-seeds", type=int, default=3, help="trainings on 10 a class")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args(arguments)
    config = load_recipe(options.config).trainer
    rows = run(config, options.seeds, options.few_seeds)
    print_table(rows, options.seeds, options.few_seeds)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
