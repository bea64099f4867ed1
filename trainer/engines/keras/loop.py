"""The loops over epochs and batches, for one replica or several: GPUs, workers, or both.

Keras 3's `fit` does not work with TensorFlow's multi-worker strategy (it wants to convert a batch
per replica into one tensor), and it weighs the replicas alike where the last batch leaves one of
them fewer images. So the loops are written out here; callbacks, optimizer and model are Keras' own.

One step of N replicas does what one process does on the N batches put together: gradients are those
of the mean loss over all images, and batch normalization, where it is trained, uses the statistics
of all images.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from darkroom.records import progress
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.replicas import Replicas, first_line
from darkroom.trainer.errors import DistributionError
from darkroom.trainer.watchdog import Watchdog

ReplicaStep = Callable[[tf.Tensor, tf.Tensor], None]
"""What one replica does with its images and targets."""
Measure = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Targets [N, C] and answers to a number for each image [N]."""

_LOST_WORKER = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


class Loop:
    """What `model.fit` does, for a compiled model that was built in the strategy's scope.

    Args:
        model: From uint8 [N, H, W, 3] to probabilities [N, C], or [N, 1] of class 1.
        watchdog: Is told of each step that ended.
    """

    def __init__(
        self, model: keras.Model, replicas: Replicas, config: TrainerConfig, watchdog: Watchdog
    ) -> None:
        self._model = model
        self._replicas = replicas
        self._watchdog = watchdog
        self._find_losses, self._find_right = _measures(config)
        # A step that makes variables when it is first called is traced a second time, which for a
        # whole backbone takes longer than several epochs on a small set.
        model.optimizer.build(model.trainable_variables)
        # Loss, right answers and images so far; each replica adds to its own.
        self._totals = tf.Variable(
            tf.zeros(3),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )
        self._train_step = self._distributed(self._train_replica)
        self._eval_step = self._distributed(self._eval_replica)

    def fit(
        self,
        train_batches: tf.data.Dataset,
        eval_batches: tf.data.Dataset,
        epochs: int,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        """Trains for `epochs`, or until a callback ends it.

        Every worker calls it with its own share of the data, and every worker's callbacks get the
        same numbers: those of all images.

        Args:
            train_batches: uint8 [N, H, W, 3] and targets float32 [N, C]; a row of zeros says that
                the image only fills the batch.
            eval_batches: Likewise.

        Raises:
            DistributionError: Another worker was lost.
        """
        try:
            self._fit(train_batches, eval_batches, epochs, callbacks)
        except _LOST_WORKER as error:
            if self._replicas.cluster.workers == 1:
                raise
            raise DistributionError(
                f"another worker was lost ({first_line(error)}); see the logs of the other workers"
            ) from error

    def _fit(
        self,
        train_batches: tf.data.Dataset,
        eval_batches: tf.data.Dataset,
        epochs: int,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        listeners = keras.callbacks.CallbackList(callbacks, model=self._model, epochs=epochs)
        train_data, eval_data = self._distribute(train_batches), self._distribute(eval_batches)
        self._model.stop_training = False
        progress.begin("steps")
        listeners.on_train_begin()
        for epoch in range(epochs):
            listeners.on_epoch_begin(epoch)
            loss, accuracy = self._pass(train_data, self._train_step)
            listeners.on_test_begin()
            val_loss, val_accuracy = self._pass(eval_data, self._eval_step)
            listeners.on_test_end()
            if epoch == 0 and (counted := progress.look()):
                # Nobody knows how many there are before they have been gone through once.
                progress.expect(counted.done * epochs)
            logs = {"loss": loss, "accuracy": accuracy}
            listeners.on_epoch_end(
                epoch, {**logs, "val_loss": val_loss, "val_accuracy": val_accuracy}
            )
            if self._model.stop_training:
                break
        progress.end()
        listeners.on_train_end()

    def _distribute(self, batches: tf.data.Dataset) -> tf.distribute.DistributedDataset:
        def divide(context: tf.distribute.InputContext) -> tf.data.Dataset:
            own = context.num_replicas_in_sync // context.num_input_pipelines
            return batches if own == 1 else batches.flat_map(_split(own))

        return self._replicas.strategy.distribute_datasets_from_function(divide)

    def _pass(
        self,
        batches: tf.distribute.DistributedDataset,
        step: Callable[[tf.distribute.DistributedIterator], None],
    ) -> tuple[float, float]:
        """Mean loss and share of right answers over one pass of all workers' data."""
        self._totals.assign(tf.zeros(3))
        iterator = iter(batches)
        try:
            while True:
                step(iterator)
                progress.advance()
                self._watchdog.progressed()
        except tf.errors.OutOfRangeError:
            pass
        loss, right, images = self._totals.read_value().numpy().tolist()
        self._watchdog.progressed()
        return loss / images, right / images

    def _distributed(
        self, replica_step: ReplicaStep
    ) -> Callable[[tf.distribute.DistributedIterator], None]:
        if self._replicas.count == 1 and self._model.jit_compile:
            replica_step = tf.function(replica_step, jit_compile=True)

        def with_data(images: tf.Tensor, targets: tf.Tensor) -> None:
            # Where the data end, what needs none of them would run all the same: the counters of
            # the optimizer and of dropout.
            with tf.control_dependencies([images, targets]):
                replica_step(images, targets)

        def step(iterator: tf.distribute.DistributedIterator) -> None:
            self._replicas.strategy.run(with_data, args=next(iterator))

        return tf.function(step)

    def _train_replica(self, images: tf.Tensor, targets: tf.Tensor) -> None:
        context = tf.distribute.get_replica_context()
        together = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.reduce_sum(_counts(targets)))
        with tf.GradientTape() as tape:
            answers = self._model(images, training=True)
            part = tf.reduce_sum(self._losses(targets, answers)) / together
        variables = self._model.trainable_variables
        # The optimizer adds up the gradients of all replicas.
        self._model.optimizer.apply_gradients(
            zip(tape.gradient(part, variables), variables, strict=True)
        )
        self._add(targets, answers)

    def _eval_replica(self, images: tf.Tensor, targets: tf.Tensor) -> None:
        self._add(targets, self._model(images, training=False))

    def _losses(self, targets: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
        return self._find_losses(targets, answers) * _counts(targets)

    def _add(self, targets: tf.Tensor, answers: tf.Tensor) -> None:
        counts = _counts(targets)
        right = tf.cast(self._find_right(targets, answers), tf.float32) * counts
        sums = [self._losses(targets, answers), right, counts]
        self._totals.assign_add(tf.stack([tf.reduce_sum(values) for values in sums]))


def _counts(targets: tf.Tensor) -> tf.Tensor:
    """1 for each image, 0 for those that only fill a batch: float32 [N]."""
    return tf.cast(tf.reduce_any(targets > 0.0, axis=1), tf.float32)


def _split(parts: int) -> Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]:
    """Divides a batch, whose size is a multiple of `parts`, into as many batches."""

    def split(*batch: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(
            tuple(tf.reshape(values, (parts, -1, *values.shape[1:])) for values in batch)
        )

    return split


def _measures(config: TrainerConfig) -> tuple[Measure, Measure]:
    """Each image's loss, and whether it is named right."""
    if config.head == "softmax":
        return (
            lambda targets, answers: keras.losses.categorical_crossentropy(
                targets, answers, label_smoothing=config.label_smoothing
            ),
            keras.metrics.categorical_accuracy,
        )
    # The one answer is the probability of the second class.
    return (
        lambda targets, answers: keras.losses.binary_crossentropy(
            targets[:, 1:], answers, label_smoothing=config.label_smoothing
        ),
        lambda targets, answers: tf.equal(targets[:, 1] > 0.5, answers[:, 0] > 0.5),
    )
