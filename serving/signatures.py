"""Export of a trained network as a SavedModel that takes encoded images.

Signatures:
    serving_default: `image_bytes` string [N] to `label` string [N], `score` float32 [N],
        `probabilities` float32 [N, C], `classes` string [N, C], `valid` bool [N].
    serve_examples: `examples` string [N], serialized tf.Example, to the same outputs; for TFMA.
    transform_features: `examples` string [N] to the transformed features, the label too.
    embed: `image_bytes` string [N] to `embedding` float32 [N, D] and `valid` bool [N].

An image that cannot be decoded gets `valid` false, label `""`, score 0 and zeros; its neighbours
in the batch are answered as ever.
"""

import os
from collections.abc import Callable

import keras
import tensorflow as tf
import tensorflow_transform as tft

from darkroom.transform import features
from darkroom.transform.config import TransformConfig
from darkroom.transform.images import decode_images

Network = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""From uint8 images [N, H, W, 3] to probabilities float32 [N, C] and embedding float32 [N, D].

TensorFlow traces it. One that has variables is a Keras model or a `tf.Module`.
"""


class ExportError(Exception):
    """The model cannot be exported; the message says why in one line."""


def export(
    network: Network,
    tf_transform_output: tft.TFTransformOutput,
    transform: TransformConfig,
    path: str | os.PathLike[str],
) -> None:
    """Writes a SavedModel with the signatures above.

    Args:
        network: What answers for decoded images; C is the number of classes.
        tf_transform_output: The Transform component's output; gives the vocabulary and the graph.
        transform: The configuration that graph was made with.

    Raises:
        ExportError: The network's outputs do not fit the label vocabulary.
    """
    module = _Served(network, tf_transform_output, transform)
    archive = keras.export.ExportArchive()
    if isinstance(network, keras.Model | tf.Module):
        archive.track(network)
    archive.track(module.transform_layer)
    image_bytes = tf.TensorSpec([None], tf.string, name="image_bytes")
    examples = tf.TensorSpec([None], tf.string, name="examples")
    endpoints: list[tuple[str, Callable, tf.TensorSpec]] = [
        ("serving_default", module.serve_images, image_bytes),
        ("serve_examples", module.serve_examples, examples),
        ("transform_features", module.transform_features, examples),
        ("embed", module.embed, image_bytes),
    ]
    for name, function, specification in endpoints:
        archive.add_endpoint(name, function, input_signature=[specification])
    archive.write_out(os.fspath(path), verbose=False)


def read_classes(tf_transform_output: tft.TFTransformOutput) -> list[str]:
    """The class names of the label vocabulary, in index order."""
    vocabulary = tf_transform_output.vocabulary_by_name(features.LABEL_VOCABULARY)
    return [name.decode() for name in vocabulary]


class _Served:
    """The functions behind the signatures."""

    def __init__(
        self,
        network: Network,
        tf_transform_output: tft.TFTransformOutput,
        transform: TransformConfig,
    ):
        self.transform_layer = tf_transform_output.transform_features_layer()
        self._raw_specification = tf_transform_output.raw_feature_spec()
        self._transform = transform
        self._classes = read_classes(tf_transform_output)
        shape = (None, transform.image_height, transform.image_width, 3)
        # One function, which the signatures share.
        self._network = tf.function(
            lambda images: network(images), input_signature=[tf.TensorSpec(shape, tf.uint8)]
        )
        self._check_outputs()

    def _check_outputs(self) -> None:
        probabilities, _ = self._network.get_concrete_function().structured_outputs
        if probabilities.shape[-1] != len(self._classes):
            raise ExportError(
                f"the model has {probabilities.shape[-1]} outputs for {len(self._classes)} "
                "classes: one output a class is needed"
            )

    def serve_images(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images, valid = self._decode(image_bytes)
        probabilities, _ = self._run(images)
        return self._answer(probabilities, valid)

    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        image_only = {features.IMAGE: self._raw_specification[features.IMAGE]}
        parsed = tf.io.parse_example(examples, image_only)
        return self.serve_images(tf.reshape(_dense(parsed[features.IMAGE]), [-1]))

    def transform_features(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.transform_layer(tf.io.parse_example(examples, self._raw_specification))

    def embed(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images, valid = self._decode(image_bytes)
        _, embedding = self._run(images)
        return {"embedding": _zero_invalid(embedding, valid), "valid": valid}

    def _run(self, images: tf.Tensor) -> list[tf.Tensor]:
        # oneDNN's convolutions fail on a batch without images, so it gets one, to be cut off.
        rows = tf.shape(images)[0]
        missing = 1 - tf.minimum(rows, 1)
        images = tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]])
        return [output[:rows] for output in self._network(images)]

    def _decode(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        config = self._transform
        size = config.image_height, config.image_width
        return decode_images(image_bytes, *size, config.resize, config.rendering)

    def _answer(self, probabilities: tf.Tensor, valid: tf.Tensor) -> dict[str, tf.Tensor]:
        classes = tf.constant(self._classes)
        label = tf.gather(classes, tf.argmax(probabilities, axis=1))
        rows = tf.shape(probabilities)[0]
        return {
            "label": tf.where(valid, label, ""),
            "score": _zero_invalid(tf.reduce_max(probabilities, axis=1, keepdims=True), valid)[
                :, 0
            ],
            "probabilities": _zero_invalid(probabilities, valid),
            "classes": tf.tile(classes[tf.newaxis], [rows, 1]),
            "valid": valid,
        }


def _zero_invalid(values: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Float32 [N, K] with zeros in the rows that are not valid."""
    return tf.where(valid[:, tf.newaxis], values, tf.zeros_like(values))


def _dense(feature: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    return tf.sparse.to_dense(feature) if isinstance(feature, tf.SparseTensor) else feature
