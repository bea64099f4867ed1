"""Reading encoded images back out of an Examples artifact."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from darkroom.transform import features


@dataclass(frozen=True)
class ExampleImage:
    """One example: the encoded image, its class name and where it came from."""

    encoded: bytes
    label: str
    path: str


def judged_split(examples: list[Artifact]) -> str:
    """The split that models are judged by: `test` where there is one, else `eval`."""
    names = artifact_utils.decode_split_names(examples[0].split_names)
    return "test" if "test" in names else "eval"


def read_images(examples: list[Artifact], split: str, limit: int) -> list[ExampleImage]:
    """The first images of a split.

    Args:
        examples: One Examples artifact of ImageExampleGen.
        split: `train`, `eval` or `test`.
    """
    return list(itertools.islice(iterate_images(examples, split), limit))


def iterate_images(examples: list[Artifact], split: str) -> Iterator[ExampleImage]:
    """The images of a split one by one, as `read_images` orders them."""
    return iterate_folder(Path(artifact_utils.get_split_uri(examples, split)))


def iterate_folder(folder: Path) -> Iterator[ExampleImage]:
    """The images of the folder of a split."""
    import tensorflow as tf  # Not needed to wire the graph, and slow to import.

    files = [str(path) for path in sorted(folder.iterdir())]
    for record in tf.data.TFRecordDataset(files).as_numpy_iterator():
        named = tf.train.Example.FromString(record).features.feature
        yield ExampleImage(
            encoded=named[features.IMAGE].bytes_list.value[0],
            label=named[features.LABEL].bytes_list.value[0].decode(),
            path=named[features.IMAGE_PATH].bytes_list.value[0].decode(),
        )
