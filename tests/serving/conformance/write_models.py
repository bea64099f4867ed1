"""The models of the conformance suite.

Usage: `python -m darkroom.tests.serving.conformance.write_models FOLDER`.

Writes a folder that TensorFlow Serving and the embedded server can both serve, with its
`models.config`, and prints how to start TensorFlow Serving on it.
"""

import sys
from pathlib import Path

import tensorflow as tf

from darkroom.tests.serving.saved_models import save_constant, save_zoo

ZOO = "conformance_zoo"
"""Saved by TensorFlow 2: signatures of every kind, an image classifier among them."""
ZOO_VERSION = 3
HALF_PLUS_TWO = "conformance_half_plus_two"
"""Saved as TensorFlow 1 did: signatures for classification and regression."""
VERSIONS = "conformance_versions"
"""Versions 1 and 2, labelled, of three; each answers with its own number."""
LABELS = {"stable": 1, "canary": 2}
CONFIG_FILE = "models.config"
FLAGS = ("--model_config_file={config}", "--allow_version_labels_for_unavailable_models=true")

_CONFIG = """\
model_config_list {{
  config {{
    name: "{zoo}"
    base_path: "{folder}/{zoo}"
    model_platform: "tensorflow"
  }}
  config {{
    name: "{half_plus_two}"
    base_path: "{folder}/{half_plus_two}"
    model_platform: "tensorflow"
  }}
  config {{
    name: "{versions}"
    base_path: "{folder}/{versions}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
}}
"""


def write_models(folder: Path) -> Path:
    """Writes the models and their configuration; returns the configuration's path."""
    save_zoo(folder / ZOO / str(ZOO_VERSION))
    save_half_plus_two(folder / HALF_PLUS_TWO / "1")
    for version in (1, 2, 3):
        save_constant(folder / VERSIONS / str(version), version)
    config = folder / CONFIG_FILE
    config.write_text(
        _CONFIG.format(folder=folder, zoo=ZOO, half_plus_two=HALF_PLUS_TWO, versions=VERSIONS)
    )
    return config


def save_half_plus_two(path: Path) -> None:
    """Saves x / 2 + 2 with TensorFlow 1's means, under every kind of signature."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32, [0.0])})
        x = tf.identity(parsed["x"], name="x")
        y = tf.add(x * v1.Variable(0.5), v1.Variable(2.0), name="y")
        classes = tf.tile(tf.constant([["high", "low"]]), [tf.shape(y)[0], 1])
        scores = tf.concat([y, -y], axis=1)
        n = v1.placeholder(tf.int64, [], name="n")
        numbers = v1.placeholder(tf.float32, [None], name="numbers")
        # As TensorFlow 2 feeds its default signature.
        defaulted = v1.placeholder_with_default([1.0], [1], name="defaulted")
        signatures = v1.saved_model.signature_def_utils
        builder = v1.saved_model.Builder(str(path))
        session.run(v1.global_variables_initializer())
        builder.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            {
                "serving_default": signatures.predict_signature_def({"x": x}, {"y": y}),
                "defaulted": signatures.predict_signature_def(
                    {"x": defaulted}, {"y": defaulted / 2 + 2}
                ),
                "regress": signatures.regression_signature_def(examples, y),
                "classify": signatures.classification_signature_def(examples, classes, scores),
                "kinds": signatures.predict_signature_def(
                    {"x": numbers, "n": n}, _cast_to_kinds(numbers, n)
                ),
                "scores": signatures.classification_signature_def(examples, None, scores),
            },
        )
        builder.save()


def _cast_to_kinds(x, n):
    return {
        "double": tf.cast(x, tf.float64),
        "int": tf.cast(x, tf.int32) + tf.cast(n, tf.int32),
        "long": tf.cast(x, tf.int64) + n,
        # By way of an integer, as a negative float has no defined uint8.
        "byte": tf.cast(tf.cast(x, tf.int32), tf.uint8),
        "positive": x > 0,
        "float": tf.identity(x),
    }


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m darkroom.tests.serving.conformance.write_models FOLDER")
    folder = Path(sys.argv[1]).resolve()
    flags = " ".join(FLAGS).format(config=write_models(folder))
    print(
        f"docker run --rm -p 8500:8500 -p 8501:8501 -v {folder}:{folder}:ro tensorflow/serving "
        f"{flags}\n"
        "SERVING_ADDR=127.0.0.1:8500,127.0.0.1:8501 python -m pytest tests/serving/conformance"
    )


if __name__ == "__main__":
    main()
