"""Training on several GPUs or by several workers: who takes part, and how a batch is divided.

Kubeflow's training operator describes the workers of a TFJob in the environment variable TF_CONFIG.
Each runs the same program; worker 0, or the one that a job names its chief, is the chief, which
alone writes model, history and logs.
"""

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import tensorflow as tf

from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.deadline import ending_after
from darkroom.trainer.errors import DistributionError

PROGRESS = logging.getLogger("darkroom.progress")
CLUSTER_VARIABLE = "TF_CONFIG"
"""Environment variable that says who trains, as TensorFlow defines it."""
PADDING = -1
"""Label of an image that only fills a batch."""
JOIN_SECONDS = 1800.0
"""Longest wait until every worker has started; a cluster may first have to find machines."""
STALL_SECONDS = 900.0
"""Longest time without a step that ended; the first one of a phase is traced before."""
_EXIT_STALLED = 1
_TRACE_LINES = ("Graph execution error", "Detected at node", "File ", "[[", "(0)", "(1)")
_ROLES = frozenset({"chief", "worker"})


class Cluster(NamedTuple):
    """The workers of one training.

    Attributes:
        workers: How many there are, the chief included.
        number: Which one this process is, from 0; 0 is the chief.
    """

    workers: int = 1
    number: int = 0

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the results."""
        return self.number == 0


class Share(NamedTuple):
    """What this worker takes of the data.

    Attributes:
        config: The trainer's section; its batch size is this worker's, its seed this worker's own.
        replicas: GPUs of all workers, or workers where they have one or none.
        first: Number of this worker's first replica.
        own: How many replicas this worker has.
    """

    config: TrainerConfig
    replicas: int = 1
    first: int = 0
    own: int = 1

    def of(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """This worker's (image, label) pairs of `examples`; all replicas get equally many.

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


def read_cluster(text: str | None) -> Cluster:
    """The cluster that the value of TF_CONFIG describes; one worker where there is none.

    Raises:
        DistributionError: It is no description of workers that train together.
    """
    if not text:
        return Cluster()
    try:
        content = json.loads(text)
        roles, task = content.get("cluster", {}), content.get("task", {})
        counts = {role: len(addresses) for role, addresses in roles.items()}
        role, index = task.get("type", "worker"), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise DistributionError(_not_understood(text, "it should be JSON")) from error
    if not counts:
        return Cluster()
    if not _ROLES.issuperset(counts):
        raise DistributionError(
            _not_understood(text, "the roles should be worker and at most one chief")
        )
    if role not in counts or not 0 <= index < counts[role]:
        raise DistributionError(_not_understood(text, f"it has no {role} number {index}"))
    before = counts.get("chief", 0) if role == "worker" else 0
    return Cluster(sum(counts.values()), before + index)


def _not_understood(text: str, reason: str) -> str:
    return (
        f"{CLUSTER_VARIABLE}: {text[:120]!r} cannot be used: {reason}; run the workers as a TFJob"
    )


def create_strategy(
    cluster: Cluster, join_seconds: float = JOIN_SECONDS
) -> tf.distribute.Strategy | None:
    """How variables and gradients are kept equal; None where one replica trains alone.

    Waits until every worker has started. TensorFlow must not have computed anything before.

    Args:
        cluster: The workers.
        join_seconds: When the wait ends, and the process with it.

    Raises:
        DistributionError: TensorFlow was in use already, or a worker cannot be reached.
    """
    if cluster.workers > 1:
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
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return None


def divide(
    config: TrainerConfig, cluster: Cluster, strategy: tf.distribute.Strategy | None
) -> Share:
    """This worker's share: all replicas together see `batch_size` images a step.

    Raises:
        DistributionError: `batch_size` does not divide by the number of replicas.
    """
    if strategy is None:
        return Share(config)
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % replicas:
        raise DistributionError(
            f"trainer.batch_size: {config.batch_size} does not divide among {replicas} replicas "
            f"(workers times GPUs of each); set it to a multiple of {replicas}"
        )
    own = replicas // cluster.workers
    update = {
        "batch_size": config.batch_size // cluster.workers,
        "seed": config.seed + cluster.number,
    }
    return Share(config.model_copy(update=update), replicas, cluster.number * own, own)


class Watchdog:
    """Ends a process that makes no progress: a lost worker can block TensorFlow for ever.

    Args:
        seconds: Longest time between two signs of life.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._alive = threading.Event()
        self._ended = False

    def progressed(self) -> None:
        """Says that something was done."""
        self._alive.set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watches while the block runs."""
        thread = threading.Thread(target=self._watch, name="training-watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended = True
            self._alive.set()
            thread.join()

    def _watch(self) -> None:
        while self._alive.wait(self._seconds):
            if self._ended:
                return
            self._alive.clear()
        PROGRESS.error(
            "error: no training step ended within %g s; another worker hangs or died: see the logs "
            "of the other workers",
            self._seconds,
        )
        logging.shutdown()
        # The main thread is inside TensorFlow and cannot be interrupted.
        os._exit(_EXIT_STALLED)


def first_line(error: Exception) -> str:
    """What an error of TensorFlow says, without where in the graph it happened."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(_TRACE_LINES)]
    return telling[0][:300] if telling else type(error).__name__
