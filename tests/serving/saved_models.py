"""Small SavedModels with every kind of signature that the server must answer for."""

from pathlib import Path

import numpy as np
import tensorflow as tf

CLASSES = ("cat", "dog", "emu")


def spec(dtype, name, shape=(None,)):
    return tf.TensorSpec(shape, dtype, name)


class Zoo(tf.Module):
    """One method per signature; each is as small as its purpose allows."""

    @tf.function(input_signature=[spec(tf.float32, "x"), spec(tf.float32, "y")])
    def add(self, x, y):
        return {"z": x + y}

    @tf.function(input_signature=[spec(tf.float32, "x", None)])
    def half_plus_two(self, x):
        return {"y": x / 2 + 2}

    @tf.function(input_signature=[spec(tf.string, "image_bytes")])
    def echo(self, image_bytes):
        return {
            "data_bytes": image_bytes,
            "text": tf.strings.join([image_bytes, image_bytes]),
            "size": tf.strings.length(image_bytes),
        }

    @tf.function(input_signature=[spec(tf.float32, "x"), spec(tf.int64, "n", ())])
    def kinds(self, x, n):
        rows = x[:, tf.newaxis] + tf.range(2.0)
        return {
            "double": tf.cast(x, tf.float64) / 3,
            "half": tf.cast(x, tf.float16),
            "int": tf.cast(rows, tf.int32) + tf.cast(n, tf.int32),
            "uint8": tf.cast(x, tf.uint8),
            "positive": rows > 0,
            "float": rows,
        }

    @tf.function(input_signature=[spec(tf.float32, "x")])
    def total(self, x):
        return {"total": tf.reduce_sum(x)}

    @tf.function(input_signature=[spec(tf.float32, "x")])
    def uneven(self, x):
        return {"all": x, "first": x[:1]}

    @tf.function(input_signature=[spec(tf.float32, "x")])
    def complicated(self, x):
        return {"c": tf.complex(x, x)}

    @tf.function(input_signature=[spec(tf.string, "text")])
    def to_number(self, text):
        return {"number": tf.strings.to_number(text)}

    @tf.function(input_signature=[spec(tf.int64, "steps")])
    def spin(self, steps):
        """Takes a while: a hundred steps are some milliseconds."""
        matrix = tf.fill([100, 100], 0.001)
        for _ in tf.range(steps[0]):
            matrix = tf.tanh(matrix @ matrix)
        return {"sum": tf.reshape(tf.reduce_sum(matrix), [1])}

    @tf.function(input_signature=[spec(tf.string, "image_bytes")])
    def classify(self, image_bytes):
        """The contract's signature; an image that begins with "broken" is not valid."""
        size = tf.cast(tf.strings.length(image_bytes), tf.float32)
        logits = tf.sin(size[:, tf.newaxis] * tf.constant([1.0, 2.0, 3.0]))
        valid = tf.logical_not(tf.strings.regex_full_match(image_bytes, "broken.*"))
        probabilities = tf.nn.softmax(logits) * tf.cast(valid, tf.float32)[:, tf.newaxis]
        classes = tf.tile([CLASSES], [tf.size(image_bytes), 1])
        best = tf.gather(tf.constant(CLASSES), tf.argmax(probabilities, axis=1))
        return {
            "label": tf.where(valid, best, ""),
            "score": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
            "classes": classes,
            "valid": valid,
        }


SIGNATURES = (
    "add",
    "half_plus_two",
    "echo",
    "kinds",
    "total",
    "uneven",
    "complicated",
    "to_number",
    "spin",
)


def save_zoo(path: Path) -> None:
    zoo = Zoo()
    signatures = {name: getattr(zoo, name) for name in SIGNATURES}
    tf.saved_model.save(zoo, str(path), {"serving_default": zoo.classify, **signatures})


class Constant(tf.Module):
    def __init__(self, value):
        super().__init__()
        self.value = tf.Variable(np.float32(value))

    @tf.function(input_signature=[spec(tf.float32, "x")])
    def call(self, x):
        return {"value": x * 0 + self.value}


def save_constant(path: Path, value: float) -> None:
    """Saves a model whose every answer is `value`."""
    module = Constant(value)
    tf.saved_model.save(module, str(path), {"serving_default": module.call})
