"""The models that are measured: `python -m darkroom.benchmarks.serving.models FOLDER NAME…`.

`digits` is the recipe's model (MobileNetV2 of width 0.35 at 64×64) without its training, `resnet50`
a ResNet50 at 224×224 with random weights, `adder` adds two numbers, `counter` takes anything and
answers little. A process of its own, because
it takes TensorFlow and, for the images, Transform; what is there already is kept.
"""

import shutil
import sys
from pathlib import Path
from typing import Final, NamedTuple

from darkroom.transform.config import TransformConfig


class Picture(NamedTuple):
    """An image model: its backbone, and what it is fed."""

    backbone: str
    alpha: float
    weights: str
    size: int


PICTURES: Final = {
    "digits": Picture("mobilenet_v2", 0.35, "letters", 64),
    "resnet50": Picture("resnet50", 1.0, "none", 224),
}
CLASSES: Final = 10


def saved_model_path(folder: Path, name: str) -> Path:
    """Where a model's SavedModel is: its only version."""
    return folder / name / "1"


def _transform(picture: Picture) -> TransformConfig:
    return TransformConfig(image_height=picture.size, image_width=picture.size)


def build_adder(path: Path) -> None:
    """Writes a SavedModel from float32 x [N] and y [N] to z [N]."""
    import tensorflow as tf

    number = [tf.TensorSpec([None], tf.float32, name) for name in ("x", "y")]
    module = tf.Module()
    module.add = tf.function(lambda x, y: {"z": x + y}, input_signature=number)
    tf.saved_model.save(module, str(path), {"serving_default": module.add})


def build_counter(path: Path) -> None:
    """Writes a SavedModel that answers one number to rows of numbers, strings and examples each."""
    import tensorflow as tf

    module = tf.Module()
    module.numbers = tf.function(
        lambda x: {"sum": tf.reduce_sum(x, axis=1)[:1]},
        input_signature=[tf.TensorSpec([None, None], tf.float32, "x")],
    )
    strings = [tf.TensorSpec([None], tf.string, "inputs")]
    module.texts = tf.function(
        lambda inputs: {"sizes": tf.strings.length(inputs)[:1]}, input_signature=strings
    )
    module.regress = tf.function(
        lambda inputs: {"outputs": tf.cast(tf.strings.length(inputs), tf.float32)},
        input_signature=strings,
    )
    signatures = {
        "serving_default": module.numbers, "texts": module.texts, "regress": module.regress,
    }  # fmt: skip
    tf.saved_model.save(module, str(path), signatures)


def build_picture_models(folder: Path, names: list[str]) -> None:
    """Writes SavedModels with the pipeline's signatures."""
    from darkroom.serving.signatures import export
    from darkroom.tests.transform_graphs import build_transform_output
    from darkroom.trainer.config import TrainerConfig
    from darkroom.trainer.engines.keras.model import build_model
    from darkroom.trainer.engines.keras.network import create_network

    labels = [str(label) for label in range(CLASSES)]
    work = folder / "transform"
    shutil.rmtree(work, ignore_errors=True)
    # The vocabulary is all that is learned from the data; the images are not looked at.
    graph, _ = build_transform_output(work, [b""] * CLASSES, labels, _transform(PICTURES["digits"]))
    for name in names:
        picture = PICTURES[name]
        config = TrainerConfig(
            backbone=picture.backbone, alpha=picture.alpha, weights=picture.weights
        )
        model = build_model(config, CLASSES, picture.size, picture.size)
        network = create_network(model)
        export(network, graph, _transform(picture), saved_model_path(folder, name))


def main(folder: Path, names: list[str]) -> None:
    """Builds those of the models that are not there."""
    missing = [name for name in names if not saved_model_path(folder, name).exists()]
    if "adder" in missing:
        build_adder(saved_model_path(folder, "adder"))
    if "counter" in missing:
        build_counter(saved_model_path(folder, "counter"))
    if pictures := [name for name in missing if name in PICTURES]:
        build_picture_models(folder, pictures)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
