"""Training on several GPUs or by several workers: what keeps them equal, who gets which images."""

import logging
from dataclasses import dataclass, field

import tensorflow as tf

from darkroom.trainer.cluster import ALONE, Cluster
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.deadline import ending_after
from darkroom.trainer.errors import DistributionError

PROGRESS = logging.getLogger("darkroom.progress")
PADDING = -1
"""Label of an image that only fills a batch; its target is all zeros."""
JOIN_SECONDS = 1800.0
"""Longest wait until every worker has started; a cluster may first have to find machines."""
STALL_SECONDS = 900.0
"""Longest time without a step that ended; the first one of a phase is traced before."""
_TRACE_LINES = ("Graph execution error", "Detected at node", "File ", "[[", "(0)", "(1)")


@dataclass(frozen=True)
class Replicas:
    """What trains one model together: GPUs of all workers, or workers where they have one or none.

    Args:
        strategy: What keeps variables and gradients equal.
        stall_seconds: Longest time without progress before this worker gives up.
    """

    cluster: Cluster = ALONE
    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)
    stall_seconds: float = STALL_SECONDS

    @property
    def count(self) -> int:
        """How many there are; 1 where one process trains on one device."""
        return self.strategy.num_replicas_in_sync

    def divide(self, config: TrainerConfig) -> "Share":
        """This worker's share: all replicas together see `batch_size` images a step.

        Raises:
            DistributionError: `batch_size` does not divide by the number of replicas.
        """
        if config.batch_size % self.count:
            raise DistributionError(
                f"trainer.batch_size: {config.batch_size} does not divide among {self.count} "
                f"replicas (workers times GPUs of each); set it to a multiple of {self.count}"
            )
        workers, number = self.cluster
        update = {"batch_size": config.batch_size // workers, "seed": config.seed + number}
        own = self.count // workers
        return Share(config.model_copy(update=update), self.count, number * own, own)


@dataclass(frozen=True)
class Share:
    """What this worker takes of the data.

    Args:
        config: The trainer's section; its batch size is this worker's, its seed this worker's own.
        replicas: How many there are in all.
        first: Number of this worker's first replica.
        own: How many replicas this worker has.
    """

    config: TrainerConfig
    replicas: int = 1
    first: int = 0
    own: int = 1

    def of(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """This worker's (encoded image, label) pairs of `examples`; all replicas get equally many.

        Where the last ones do not suffice for all, an image comes twice, the second time with the
        label `PADDING`, which says that it does not count.
        """
        if self.replicas == 1:
            return examples
        return examples.batch(self.replicas).map(self._take).unbatch()

    def _take(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        numbers = tf.range(self.first, self.first + self.own)
        exists = numbers < tf.shape(labels)[0]
        found = tf.where(exists, numbers, 0)
        padding = tf.constant(PADDING, labels.dtype)
        return tf.gather(images, found), tf.where(exists, tf.gather(labels, found), padding)


def join(
    cluster: Cluster, join_seconds: float = JOIN_SECONDS, stall_seconds: float = STALL_SECONDS
) -> Replicas:
    """The replicas that train; waits until every worker has started.

    TensorFlow must not have computed anything before.

    Args:
        join_seconds: When the wait ends, and the process with it.
        stall_seconds: That of `Replicas`.

    Raises:
        DistributionError: TensorFlow was in use already, or a worker cannot be reached.
    """
    if cluster.workers > 1:
        strategy = _join_workers(cluster, join_seconds)
    elif len(tf.config.list_logical_devices("GPU")) > 1:
        strategy = tf.distribute.MirroredStrategy()
    else:
        strategy = tf.distribute.get_strategy()
    return Replicas(cluster, strategy, stall_seconds)


def _join_workers(cluster: Cluster, join_seconds: float) -> tf.distribute.Strategy:
    PROGRESS.info("waits for %d workers, at most %g s", cluster.workers, join_seconds)
    refusal = (
        f"error: worker {cluster.number} of {cluster.workers} waited {join_seconds:g} s and "
        "not all of them have started; see which pods are pending, and the logs of the others"
    )
    try:
        with ending_after(join_seconds, refusal):
            return tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, tf.errors.OpError) as error:
        raise DistributionError(
            f"worker {cluster.number} of {cluster.workers} cannot join the others "
            f"({first_line(error)}); see the logs of the other workers"
        ) from error


def first_line(error: Exception) -> str:
    """What an error of TensorFlow says, without where in the graph it happened."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(_TRACE_LINES)]
    return telling[0][:300] if telling else type(error).__name__
