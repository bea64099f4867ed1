"""Small SavedModels with every kind of signature that the server must answer for."""

import re
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

    @tf.function(input_signature=[spec(tf.string, "text")])
    def upper(self, text):
        return {"text": tf.strings.upper(text)}

    @tf.function(input_signature=[spec(tf.float32, "x")])
    def as_integer(self, x):
        return {"n": tf.cast(x, tf.int64)}

    @tf.function(
        input_signature=[
            spec(tf.string, "tag"),
            spec(tf.int32, "signal", (None, None)),
            spec(tf.int32, "sensor", (None, None, None)),
        ]
    )
    def sensors(self, tag, signal, sensor):
        total = tf.reduce_sum(signal, axis=1) + tf.reduce_sum(sensor, axis=[1, 2])
        return {"tag": tag, "total": total}

    @tf.function(input_signature=[spec(tf.float32, "x")])
    def numbers(self, x):
        """The kinds that REST has, of every size."""
        kinds = ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "float64", "bool")
        return {kind: tf.cast(x, kind) for kind in kinds}

    @tf.function(input_signature=[spec(tf.bfloat16, "x")])
    def brain(self, x):
        return {"bfloat16": x * 2, "half": tf.cast(x, tf.float16), "uint16": tf.cast(x, tf.uint16)}


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
    "upper",
    "as_integer",
    "sensors",
    "numbers",
    "brain",
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


class Examples(tf.Module):
    """Signatures that take serialized examples, as classify and regress want them."""

    @tf.function(input_signature=[spec(tf.string, "inputs")])
    def classify_objects(self, inputs):
        features = tf.io.parse_example(
            inputs,
            {
                "image": tf.io.FixedLenFeature([], tf.string),
                "caption": tf.io.FixedLenFeature([], tf.string, ""),
            },
        )
        sizes = tf.strings.length([features["image"], features["caption"]])
        return {
            "classes": tf.tile([["image", "caption"]], [tf.size(inputs), 1]),
            "scores": tf.cast(tf.transpose(sizes), tf.float32) / 4,
        }

    @tf.function(input_signature=[spec(tf.string, "inputs")])
    def regress_sum(self, inputs):
        features = tf.io.parse_example(inputs, {"x": tf.io.VarLenFeature(tf.float32)})
        return {"outputs": tf.sparse.reduce_sum(features["x"], axis=1)}

    @tf.function(input_signature=[spec(tf.string, "inputs")])
    def regress_total(self, inputs):
        """One number for all examples, which is not what regress wants."""
        return {"outputs": tf.cast(tf.size(inputs), tf.float32)[tf.newaxis]}


EXAMPLE_SIGNATURES = ("classify_objects", "regress_sum", "regress_total")


def save_examples(path: Path) -> None:
    examples = Examples()
    signatures = {name: getattr(examples, name) for name in EXAMPLE_SIGNATURES}
    tf.saved_model.save(examples, str(path), signatures)


def save_half_plus_three(path: Path) -> None:
    """The model of TensorFlow Serving's own REST reference, as TensorFlow 1 makes it.

    Half of x plus three, from a float or from the feature "x" of an example; and a table that is
    filled from an asset when the model is loaded.
    """
    v1 = tf.compat.v1
    asset = path.parent / "vocabulary.txt"
    asset.write_text("three\n")
    with tf.Graph().as_default(), v1.Session() as session:
        signatures = _build_half_plus_three(str(asset))
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signatures,
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()
    asset.unlink()


def _build_half_plus_three(asset):
    v1 = tf.compat.v1
    examples = v1.placeholder(tf.string, name="tf_example")
    features = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})
    x = tf.identity(features["x"], "x")
    half = v1.get_variable("a", initializer=0.5, use_resource=False)
    y = half * x + v1.get_variable("b", initializer=3.0, use_resource=True)
    words = v1.placeholder(tf.string, [None], "words")
    inputs = {"inputs": examples}
    return {
        "serving_default": _build_signature("predict", {"x": x}, {"y": y}),
        "words": _build_signature("predict", {"words": words}, {"n": _look_up(words, asset)}),
        "tensorflow/serving/regress": _build_signature("regress", inputs, {"outputs": y}),
        "tensorflow/serving/classify": _build_signature("classify", inputs, {"scores": y}),
    }


def _look_up(words, asset):
    path = tf.constant(asset)
    tf.compat.v1.add_to_collection(tf.compat.v1.GraphKeys.ASSET_FILEPATHS, path)
    whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    lines = tf.lookup.TextFileInitializer(path, tf.string, whole, tf.int64, number)
    return tf.lookup.StaticHashTable(lines, -1).lookup(words)


def _build_signature(method, inputs, outputs):
    v1 = tf.compat.v1.saved_model
    return v1.build_signature_def(
        {name: v1.build_tensor_info(tensor) for name, tensor in inputs.items()},
        {name: v1.build_tensor_info(tensor) for name, tensor in outputs.items()},
        f"tensorflow/serving/{method}",
    )


class Numbers(tf.Module):
    """A float and a string, as TFLite takes them."""

    @tf.function(input_signature=[spec(tf.float32, "x", (None, 2)), spec(tf.string, "s")])
    def call(self, x, s):
        return {"y": x / 2 + 2, "t": s}


def save_tflite(path: Path) -> None:
    """Saves `model.tflite` into a folder, without the metadata that serving looks for."""
    module = Numbers()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.call.get_concrete_function()], module
    )
    path.mkdir(parents=True)
    (path / "model.tflite").write_bytes(converter.convert())


def without_function_names(message: str) -> str:
    """Leaves out of an error what each saving of a model numbers anew."""
    return re.sub(r"\{\{function_node \w+\}\}", "", message)
