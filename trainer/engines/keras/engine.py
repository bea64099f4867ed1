"""The Keras engine: a job in, a trained network out."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.engine import Job, TrainedNetwork
from darkroom.trainer.engines.keras.backbone_weights import load_backbone_weights
from darkroom.trainer.engines.keras.batch_norm import batch_norm_layers
from darkroom.trainer.engines.keras.model import BACKBONE, build_backbone, build_model
from darkroom.trainer.engines.keras.network import create_network
from darkroom.trainer.engines.keras.replicas import (
    JOIN_SECONDS,
    STALL_SECONDS,
    Replicas,
    Share,
    join,
)
from darkroom.trainer.engines.keras.training import train
from darkroom.trainer.errors import InputError
from darkroom.trainer.examples import Examples, find_undecodable, read_examples
from darkroom.trainer.input import eval_batches, train_batches


@dataclass(frozen=True)
class KerasEngine:
    """Trains with Keras on TensorFlow.

    Args:
        join_seconds: Longest wait until every worker has started.
        stall_seconds: Longest time without a step that ended, where several replicas train.
    """

    join_seconds: float = JOIN_SECONDS
    stall_seconds: float = STALL_SECONDS

    def check_weights(self, config: TrainerConfig, image_shape: tuple[int, int, int]) -> None:
        """Loads the weights into a backbone; WeightsError where they cannot be had."""
        height, width, _ = image_shape
        load_backbone_weights(build_backbone(config.backbone, height, width, config.alpha), config)
        # Names that Keras numbers begin anew, so that a model is what it is without this check; and
        # the memory is given back.
        keras.utils.clear_session()

    def train(self, job: Job) -> TrainedNetwork:
        """Trains the head, then the top of the backbone as well.

        The seed fixes initial weights, order, augmentation and dropout. The last digits of a
        result still vary, because threads add up floats in whatever order they finish.

        Raises:
            TrainerError: Examples, weights or configuration cannot be used, or a worker was lost.
        """
        # First of all: TensorFlow joins the other workers before it computes anything.
        replicas = join(job.cluster, self.join_seconds, self.stall_seconds)
        share = replicas.divide(job.config)
        keras.utils.set_random_seed(job.config.seed)
        model = _build_model(job, replicas)
        with tempfile.TemporaryDirectory(prefix="darkroom-images-") as scratch:
            batches = _read_batches(job, share, Path(scratch))
            try:
                history = train(model, *batches, job.config, job.folder, replicas)
            except tf.errors.InvalidArgumentError as error:
                _name_undecodable(job, error)
                raise
        return TrainedNetwork(create_network(model), history)


def _read_batches(job: Job, share: Share, scratch: Path) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """This worker's batches: those to train on, and those to evaluate with."""

    def read(files: tuple[str, ...], seed: int | None = None) -> Examples:
        examples = read_examples(files, job.classes, job.transform, seed)
        return examples._replace(encoded=share.of(examples.encoded))

    config, classes = share.config, len(job.classes)
    # The order of the files has to be every worker's, so that their shares are no one else's.
    return (
        train_batches(read(job.train_files, job.config.seed), config, classes, scratch),
        eval_batches(read(job.eval_files), config, classes, scratch),
    )


def _name_undecodable(job: Job, error: Exception) -> None:
    if job.transform.materialize:
        return
    if path := find_undecodable((*job.train_files, *job.eval_files)):
        raise InputError(f"{path!r} cannot be decoded by TensorFlow; remove it") from error


def _build_model(job: Job, replicas: Replicas) -> keras.Model:
    height, width, _ = job.image_shape
    with replicas.strategy.scope():
        model = build_model(job.config, len(job.classes), height, width)
    if replicas.count > 1:
        for layer in batch_norm_layers(model.get_layer(BACKBONE)):
            layer.synchronized = True
    return model
