"""Training steps of several replicas: GPUs of one process, workers of a cluster, or both.

Keras 3's `fit` does not work with TensorFlow's multi-worker strategy (it wants to convert a batch
per replica into one tensor), and it weighs the replicas alike where the last batch leaves one of
them fewer images. So the loops over epochs and batches are written out here; callbacks,
optimizer and model are Keras' own.

One step of N replicas does what one process does on the N batches put together: gradients are those
of the mean loss over all images, and batch normalization, where it is trained, uses the statistics
of all images.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from darkroom.trainer.batch_norm import batch_norm_layers
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.distribution import PADDING, Watchdog, first_line
from darkroom.trainer.errors import DistributionError
from darkroom.trainer.model import BACKBONE

LabelEncoder = Callable[[tf.Tensor], tf.Tensor]
"""Labels int64 [N] to what the loss compares with the model's answers."""

_LOST_WORKER = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


def replicate(model: keras.Model, strategy: tf.distribute.Strategy) -> keras.Model:
    """A copy of `model` with the chief's weights, kept equal on all replicas."""
    with strategy.scope():
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    for layer in batch_norm_layers(copy.get_layer(BACKBONE)):
        layer.synchronized = True
    return copy


def fit(
    model: keras.Model,
    strategy: tf.distribute.Strategy,
    train_batches: tf.data.Dataset,
    eval_batches: tf.data.Dataset,
    encode: LabelEncoder,
    config: TrainerConfig,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
    watchdog: Watchdog,
) -> None:
    """What `model.fit` does, for a compiled model that `replicate` made.

    Every worker calls it with its own share of the data, and every worker's callbacks get the
    same numbers: those of all images.

    Args:
        train_batches: Images and labels of this worker's share (`trainer/distribution.py`).
        eval_batches: Likewise.

    Raises:
        DistributionError: Another worker was lost.
    """
    loops = _Loops(model, strategy, encode, config, watchdog)
    try:
        with strategy.scope():
            loops.fit(train_batches, eval_batches, epochs, callbacks)
    except _LOST_WORKER as error:
        raise DistributionError(
            f"another worker was lost ({first_line(error)}); see the logs of the other workers"
        ) from error


class _Loops:
    def __init__(
        self,
        model: keras.Model,
        strategy: tf.distribute.Strategy,
        encode: LabelEncoder,
        config: TrainerConfig,
        watchdog: Watchdog,
    ) -> None:
        self._model = model
        self._strategy = strategy
        self._watchdog = watchdog
        self._encode = encode
        self._loss, self._is_right = _measures(config)
        with strategy.scope():
            model.optimizer.build(model.trainable_variables)
            # Loss, right answers and images so far; each replica adds to its own.
            self._totals = tf.Variable(
                tf.zeros(3),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
            )
        self._train_step = tf.function(self._distributed(self._train_replica))
        self._eval_step = tf.function(self._distributed(self._eval_replica))

    def fit(
        self,
        train_batches: tf.data.Dataset,
        eval_batches: tf.data.Dataset,
        epochs: int,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        listeners = keras.callbacks.CallbackList(callbacks, model=self._model, epochs=epochs)
        train_data, eval_data = self._distribute(train_batches), self._distribute(eval_batches)
        self._model.stop_training = False
        listeners.on_train_begin()
        for epoch in range(epochs):
            listeners.on_epoch_begin(epoch)
            loss, accuracy = self._pass(train_data, self._train_step)
            listeners.on_test_begin()
            val_loss, val_accuracy = self._pass(eval_data, self._eval_step)
            listeners.on_test_end()
            logs = {"loss": loss, "accuracy": accuracy}
            listeners.on_epoch_end(
                epoch, {**logs, "val_loss": val_loss, "val_accuracy": val_accuracy}
            )
            if self._model.stop_training:
                break
        listeners.on_train_end()

    def _distribute(self, batches: tf.data.Dataset) -> tf.distribute.DistributedDataset:
        def divide(context: tf.distribute.InputContext) -> tf.data.Dataset:
            own = context.num_replicas_in_sync // context.num_input_pipelines
            return batches if own == 1 else batches.flat_map(_split(own))

        return self._strategy.distribute_datasets_from_function(divide)

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
                self._watchdog.progressed()
        except tf.errors.OutOfRangeError:
            pass
        loss, right, images = self._totals.read_value().numpy().tolist()
        self._watchdog.progressed()
        return loss / images, right / images

    def _distributed(
        self, replica_step: Callable[[tf.Tensor, tf.Tensor], None]
    ) -> Callable[[tf.distribute.DistributedIterator], None]:
        def step(iterator: tf.distribute.DistributedIterator) -> None:
            self._strategy.run(replica_step, args=next(iterator))

        return step

    def _train_replica(self, images: tf.Tensor, labels: tf.Tensor) -> None:
        context = tf.distribute.get_replica_context()
        together = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.reduce_sum(_counts(labels)))
        with tf.GradientTape() as tape:
            answers = self._model(images, training=True)
            part = tf.reduce_sum(self._losses(labels, answers)) / together
        variables = self._model.trainable_variables
        # The optimizer adds up the gradients of all replicas.
        self._model.optimizer.apply_gradients(
            zip(tape.gradient(part, variables), variables, strict=True)
        )
        self._add(labels, answers)

    def _eval_replica(self, images: tf.Tensor, labels: tf.Tensor) -> None:
        self._add(labels, self._model(images, training=False))

    def _losses(self, labels: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
        return self._loss(self._encode(labels), answers) * _counts(labels)

    def _add(self, labels: tf.Tensor, answers: tf.Tensor) -> None:
        counts = _counts(labels)
        right = tf.cast(self._is_right(self._encode(labels), answers), tf.float32) * counts
        sums = [self._losses(labels, answers), right, counts]
        self._totals.assign_add(tf.stack([tf.reduce_sum(values) for values in sums]))


def _counts(labels: tf.Tensor) -> tf.Tensor:
    """1 for each image, 0 for those that only fill a batch: float32 [N]."""
    return tf.cast(labels != PADDING, tf.float32)


def _split(parts: int) -> Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]:
    """Divides a batch, whose size is a multiple of `parts`, into as many batches."""

    def split(images: tf.Tensor, labels: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(
            (
                tf.reshape(images, (parts, -1, *images.shape[1:])),
                tf.reshape(labels, (parts, -1)),
            )
        )

    return split


def _measures(
    config: TrainerConfig,
) -> tuple[
    Callable[[tf.Tensor, tf.Tensor], tf.Tensor], Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
]:
    """Functions of targets and answers: each image's loss [N], and whether it is right [N]."""
    binary = config.head == "sigmoid"
    loss = keras.losses.binary_crossentropy if binary else keras.losses.categorical_crossentropy
    is_right = keras.metrics.binary_accuracy if binary else keras.metrics.categorical_accuracy
    return (
        lambda targets, answers: loss(targets, answers, label_smoothing=config.label_smoothing),
        is_right,
    )
