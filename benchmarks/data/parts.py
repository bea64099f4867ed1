"""What is measured in a process of its own: `python -m darkroom.benchmarks.data.parts NAME …`.

The parts of the pipeline read what those before them left in the work folder.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

SIZE: Final = 224
BATCH: Final = 32
VARIED: Final = {
    "rotation_range": 15,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "zoom_range": 0.1,
    "horizontal_flip": True,
}
"""For ImageDataGenerator; `_AUGMENTATION` is the same for the Trainer."""
_AUGMENTATION: Final = {
    "rotation": 15,
    "translation": 0.1,
    "zoom": 0.1,
    "horizontal_flip": True,
}

Clock = Callable[[], Any]
"""A context within which time counts."""
Part = Callable[[Path, Path, Clock], int]
"""From the photographs' folder, the work folder and a clock to the number of images."""


def read_bare(folder: Path, work: Path, clock: Clock) -> int:
    """tf.data alone: read, decode, resize with the same antialiasing."""
    import tensorflow as tf

    def read(path: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        resized = tf.image.resize(image, (SIZE, SIZE), antialias=True)
        return tf.saturate_cast(tf.round(resized), tf.uint8)

    files = [str(path) for path in _list(folder)]
    images = tf.data.Dataset.from_tensor_slices(files).map(read, tf.data.AUTOTUNE).batch(BATCH)
    return _count(images, clock)


def generate(folder: Path, clock: Clock, **options: Any) -> int:
    """Keras' ImageDataGenerator over a table of the same files."""
    import pandas
    import tensorflow as tf

    files = _list(folder)
    table = pandas.DataFrame(
        {"filename": map(str, files), "class": [path.parent.name for path in files]}
    )
    generator = tf.keras.preprocessing.image.ImageDataGenerator(**options)
    batches = generator.flow_from_dataframe(
        table, target_size=(SIZE, SIZE), batch_size=BATCH, interpolation="bilinear"
    )
    return _count((batches[index] for index in range(len(batches))), clock)


def ingest(folder: Path, work: Path, clock: Clock) -> int:
    """ImageExampleGen."""
    from tfx.types import standard_artifacts

    from darkroom.components.artifacts import Quarantine
    from darkroom.components.image_example_gen.config import DataConfig
    from darkroom.components.image_example_gen.executor import Executor

    examples, quarantine = standard_artifacts.Examples(), Quarantine()
    examples.uri, quarantine.uri = str(work / "examples"), str(work / "quarantine")
    config = DataConfig(path=folder, format="folders")
    with clock():
        Executor(Executor.Context()).Do(
            {},
            {"examples": [examples], "quarantine": [quarantine]},
            {"config": config.ingest_json(), "fingerprint": "measured"},
        )
    return quarantine.get_int_custom_property("examples")


def transform(folder: Path, work: Path, clock: Clock) -> int:
    """Transform, which numbers the labels."""
    import tensorflow as tf
    from tensorflow_transform.tf_metadata import schema_utils
    from tfx.components.transform.executor import Executor
    from tfx.types import artifact_utils, standard_artifacts
    from tfx.utils import io_utils

    from darkroom.transform.features import IMAGE, LABEL

    text = tf.io.FixedLenFeature([], tf.string)
    schema = schema_utils.schema_from_feature_spec({IMAGE: text, LABEL: text})
    io_utils.write_pbtxt_file(str(work / "schema" / "schema.pbtxt"), schema)
    inputs = {"examples": standard_artifacts.Examples(), "schema": standard_artifacts.Schema()}
    inputs["examples"].split_names = artifact_utils.encode_split_names(["train", "eval"])
    outputs = {
        "transform_graph": standard_artifacts.TransformGraph(),
        "updated_analyzer_cache": standard_artifacts.TransformCache(),
    }
    for name, artifact in {**inputs, **outputs}.items():
        artifact.uri = str(work / name)
    properties = {
        "preprocessing_fn": "darkroom.transform.preprocessing.preprocessing_fn",
        "custom_config": json.dumps({"transform": {}}),
        "disable_statistics": 1,
        "force_tf_compat_v1": 0,
    }
    with clock():
        context = Executor.Context(tmp_dir=str(work / "temporary"), unique_id="1")
        Executor(context).Do(_listed(inputs), _listed(outputs), properties)
    return len(_list(folder))


def train_input(work: Path, clock: Clock, passes: int, **augmentation: Any) -> int:
    """The Trainer's batches; of several passes the last counts, which the cache serves."""
    from darkroom.trainer.augmentation.config import AugmentationConfig
    from darkroom.trainer.config import TrainerConfig
    from darkroom.trainer.examples import read_examples
    from darkroom.trainer.input import train_batches
    from darkroom.transform.config import TransformConfig

    transform = TransformConfig(image_height=SIZE, image_width=SIZE)
    config = TrainerConfig(batch_size=BATCH, augmentation=AugmentationConfig(**augmentation))
    (vocabulary,) = work.glob("transform_graph/transform_fn/assets/labels")
    classes = vocabulary.read_text().splitlines()
    examples = read_examples([str(work / "examples/Split-*/*")], classes, transform, seed=1)
    batches = train_batches(examples, config, len(classes), work)
    for _ in range(passes - 1):
        for _ in batches:
            pass
    return _count(batches, clock)


def _listed(artifacts: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {name: [artifact] for name, artifact in artifacts.items()}


def _list(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _count(batches: Iterable[Any], clock: Clock) -> int:
    images = 0
    with clock():
        for batch in batches:
            images += len(batch[0] if isinstance(batch, tuple) else batch)
    return images


PARTS: Final[dict[str, Part]] = {
    "tf.data": read_bare,
    "ImageDataGenerator": lambda folder, work, clock: generate(folder, clock),
    "ImageDataGenerator, augmented": lambda folder, work, clock: generate(folder, clock, **VARIED),
    "ingest": ingest,
    "Transform": transform,
    "Trainer's input, first epoch": lambda folder, work, clock: train_input(work, clock, 1),
    "Trainer's input, first epoch, augmented": lambda folder, work, clock: train_input(
        work, clock, 1, **_AUGMENTATION
    ),
    "Trainer's input, later epochs": lambda folder, work, clock: train_input(work, clock, 2),
    "Trainer's input, later epochs, augmented": lambda folder, work, clock: train_input(
        work, clock, 2, **_AUGMENTATION
    ),
}
"""By name, in order; the first is what the others are compared with."""


def main(name: str, folder: str, work: str) -> None:
    """Measures a part and prints its numbers, as JSON."""
    found = {}

    @contextmanager
    def clock() -> Any:
        seconds, cpu_seconds = time.monotonic(), time.process_time()
        yield
        found["seconds"] = time.monotonic() - seconds
        found["cpu_seconds"] = time.process_time() - cpu_seconds

    images = PARTS[name](Path(folder), Path(work), clock)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"images": images, "peak_mb": peak_mb, **found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
