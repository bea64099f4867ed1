"""One worker of a training, in a process of its own: `worker_program.py FOLDER SETTINGS`.

It trains a small network on random images and writes its final weights and its history to FOLDER.
"""

import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.distribution import CLUSTER_VARIABLE, create_strategy, divide, read_cluster
from darkroom.trainer.engines.keras_engine import Replicas, train
from darkroom.trainer.model import BACKBONE

SIZE, CLASSES = 8, 3


def small_model() -> keras.Model:
    """Convolution, batch normalization and head, nested as `build_model` does it."""
    inner = keras.Input((SIZE, SIZE, 3))
    layers = [
        keras.layers.Conv2D(4, 3, use_bias=False, name="convolution"),
        keras.layers.BatchNormalization(momentum=0.5, name="norm"),
        keras.layers.ReLU(),
    ]
    features = inner
    for layer in layers:
        features = layer(features)
    outer = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    scaled = keras.ops.cast(outer, "float32") / 255.0
    maps = keras.Model(inner, features, name=BACKBONE)(scaled)
    answers = keras.layers.Dense(CLASSES, activation="softmax")(
        keras.layers.GlobalAveragePooling2D()(maps)
    )
    return keras.Model(outer, answers)


def examples(count: int) -> tf.data.Dataset:
    """The first `count` of always the same images; brighter ones have higher labels."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, 1000)[:count]
    images = (
        random.integers(0, 120, (1000, SIZE, SIZE, 3))[:count] + 60 * labels[:, None, None, None]
    )
    return tf.data.Dataset.from_tensor_slices((images.astype(np.uint8), labels))


def main(folder: Path, settings: dict[str, Any]) -> None:
    logging.basicConfig(level=logging.INFO)
    config = TrainerConfig(weights="none", **settings["trainer"])
    cluster = read_cluster(os.environ.get(CLUSTER_VARIABLE))
    cpus = settings.get("processors", 1)
    if cpus > 1:
        parts = [tf.config.LogicalDeviceConfiguration()] * cpus
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
        names = [f"CPU:{number}" for number in range(cpus)]
        strategy = tf.distribute.MirroredStrategy(names)
    else:
        strategy = create_strategy(cluster, settings["join_seconds"])
    share = divide(config, cluster, strategy)
    keras.utils.set_random_seed(config.seed)
    model = small_model()
    batches = share.of(examples(settings["examples"])).batch(share.config.batch_size)
    history = train(
        model,
        _announced(batches, folder) if settings.get("endless") else batches,
        batches,
        config,
        replicas=Replicas(strategy, cluster, settings["stall_seconds"]) if strategy else None,
    )
    np.savez(folder / f"weights-{cluster.number}.npz", *model.get_weights())
    record = asdict(history.to_record({}))
    (folder / f"history-{cluster.number}.json").write_text(json.dumps(record))


def _announced(batches: tf.data.Dataset, folder: Path) -> tf.data.Dataset:
    """`batches` for ever; the first line of standard output tells that training has begun."""

    def announce(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        tf.print("training", output_stream=sys.stdout)
        return images, labels

    return batches.repeat().map(announce)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
