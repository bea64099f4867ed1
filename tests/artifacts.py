"""Artifacts for executors, made without a pipeline around them."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact

from darkroom.transform import features


def make_artifact(kind: type[Artifact], folder: Path) -> Artifact:
    """An artifact whose URI is the folder given; the folder need not exist."""
    artifact = kind()
    artifact.uri = str(folder)
    return artifact


def serialize_example(image: bytes, label: str, path: str) -> bytes:
    """A raw example as ImageExampleGen writes it, without descriptors."""

    def of(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    named = {
        features.IMAGE: of(image),
        features.LABEL: of(label.encode()),
        features.IMAGE_PATH: of(path.encode()),
    }
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


def make_examples(
    folder: Path,
    images: Sequence[bytes],
    labels: Sequence[str],
    splits: Sequence[str] = ("train", "eval"),
) -> Artifact:
    """An Examples artifact whose splits all hold all images."""
    examples = make_artifact(standard_artifacts.Examples, folder)
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    for split in splits:
        path = folder / f"Split-{split}" / "data_tfrecord-00000-of-00001"
        path.parent.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for index, (image, label) in enumerate(zip(images, labels, strict=True)):
                writer.write(serialize_example(image, label, f"{label}/{index}.png"))
    return examples
