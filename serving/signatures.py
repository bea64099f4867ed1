"""Export of a trained Keras model as a SavedModel that takes encoded images.

Signatures:
    serving_default: `image_bytes` string [N] to `label` string [N], `score` float32 [N],
        `probabilities` float32 [N, C], `classes` string [N, C], `valid` bool [N].
    serve_examples: `examples` string [N], serialized tf.Example, to the same outputs; for TFMA.
    transform_features: `examples` string [N] to the transformed features, the label too.
    embed: `image_bytes` string [N] to `embedding` float32 [N, D] and `valid` bool [N].

An image that cannot be decoded gets `valid` false, label `""`, score 0 and zeros; its neighbours
in the batch are answered as ever.

The weights are constants of the graph, which TensorFlow then folds into the convolutions: on a CPU
a MobileNetV2 takes about half the time that it takes with variables.
"""

import os
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from darkroom.transform import features
from darkroom.transform.config import TransformConfig
from darkroom.transform.images import decode_images

EMBEDDING_LAYER = "embedding"
"""Name of the layer whose output, float32 [N, D], the signature `embed` returns."""


class ExportError(Exception):
    """The model cannot be exported; the message says why in one line."""


def export(
    model: keras.Model,
    tf_transform_output: tft.TFTransformOutput,
    transform: TransformConfig,
    path: str | os.PathLike[str],
) -> None:
    """Writes a SavedModel with the signatures above.

    Args:
        model: Takes uint8 [N, H, W, 3], returns float32 [N, C] of probabilities, or [N, 1] of the
            second class's probability (sigmoid); has a layer named `embedding`.
        tf_transform_output: The Transform component's output; gives the vocabulary and the graph.
        transform: The configuration that graph was made with.
        path: Folder to write to.

    Raises:
        ExportError: The model's outputs do not fit the label vocabulary.
    """
    classes = read_classes(tf_transform_output)
    _check_outputs(model, classes)
    module = _Served(model, tf_transform_output, transform, classes)
    archive = keras.export.ExportArchive()
    if module.variables_model is not None:
        archive.track(module.variables_model)
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


def _check_outputs(model: keras.Model, classes: list[str]) -> None:
    outputs = model.output_shape[-1]
    if outputs != len(classes) and not (outputs == 1 and len(classes) == 2):
        raise ExportError(
            f"the model has {outputs} outputs for {len(classes)} classes: "
            "one output a class is needed, or a single one for two classes"
        )


class _Served:
    """The functions behind the signatures."""

    def __init__(
        self,
        model: keras.Model,
        tf_transform_output: tft.TFTransformOutput,
        transform: TransformConfig,
        classes: list[str],
    ):
        embedding = model.get_layer(EMBEDDING_LAYER).output
        network = keras.Model(model.inputs, [model.outputs[0], embedding])
        constant = _fits_graph(network)
        self.network = _create_function(network, constant)
        self.variables_model = None if constant else network
        self.transform_layer = tf_transform_output.transform_features_layer()
        self._raw_specification = tf_transform_output.raw_feature_spec()
        self._transform = transform
        self._classes = classes

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
        return [output[:rows] for output in self.network(images)]

    def _decode(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        config = self._transform
        return decode_images(image_bytes, config.image_height, config.image_width, config.resize)

    def _answer(self, probabilities: tf.Tensor, valid: tf.Tensor) -> dict[str, tf.Tensor]:
        if len(self._classes) == 2 and probabilities.shape[-1] == 1:
            probabilities = tf.concat([1.0 - probabilities, probabilities], axis=1)
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


MAX_CONSTANT_BYTES = 1 << 30
"""Larger weights stay variables: a graph is one protobuf message, which ends at 2 GiB."""


def _fits_graph(network: keras.Model) -> bool:
    size = sum(np.prod(weight.shape) * _find_itemsize(weight) for weight in network.weights)
    return size <= MAX_CONSTANT_BYTES


def _find_itemsize(weight: keras.Variable) -> int:
    return tf.as_dtype(weight.dtype).size


def _create_function(
    network: keras.Model, constant: bool
) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """Returns the network as one function, which the signatures share."""
    images = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8)
    if not constant:
        return tf.function(lambda x: network(x, training=False), input_signature=[images])
    trainable = [weight.numpy() for weight in network.trainable_variables]
    others = [weight.numpy() for weight in network.non_trainable_variables]

    def call(x: tf.Tensor) -> list[tf.Tensor]:
        constants = [[tf.constant(value) for value in values] for values in (trainable, others)]
        outputs, _ = network.stateless_call(*constants, x, training=False)
        return outputs

    return tf.function(call, input_signature=[images])


def _zero_invalid(values: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Float32 [N, K] with zeros in the rows that are not valid."""
    return tf.where(valid[:, tf.newaxis], values, tf.zeros_like(values))


def _dense(feature: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    return tf.sparse.to_dense(feature) if isinstance(feature, tf.SparseTensor) else feature
