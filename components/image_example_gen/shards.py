"""The files that hold the examples of a split.

Rows are dealt to shards, and lie in them, by a hash of their path: one order over all files, the
same in every run, in which classes, folders and days are mixed. So whoever reads on from anywhere
sees a fair sample, and a buffer of any size is enough to shuffle.

Photographs do not shrink, so the files are not compressed.
"""

import hashlib
import math
import os
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import tensorflow as tf
from tfx.dsl.io import fileio

from darkroom.components.image_example_gen.sources.source import Row

SHARD_ROWS: Final = 1000
"""Rows of a shard, about: 50 MB of small photographs."""


def count_shards(rows: int) -> int:
    """How many shards so many rows fill; at least one."""
    return max(1, math.ceil(rows / SHARD_ROWS))


def hash_row(row: Row) -> float:
    """The place of a row among all: at least 0 and below 1, whatever other rows there are."""
    # Names that are not UTF-8 hold lone surrogates.
    digest = hashlib.sha256(row.image_path.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


@dataclass(frozen=True)
class ShardPlan:
    """Where shards go.

    Args:
        folders: Folder by split.
        unfinished: Folder for files that are being written; to be removed in the end.
        count: Number of shards of each split.
    """

    folders: Mapping[str, str]
    unfinished: str
    count: int

    def place(self, row: Row) -> int:
        """Number of the shard that a row belongs to."""
        return int(hash_row(row) * self.count)


class ShardWriter:
    """Writes one shard, a TFRecord file in each split, which is there whole or not at all.

    A context; a shard that is written again, because a worker was lost, replaces the first.
    """

    def __init__(self, plan: ShardPlan, number: int) -> None:
        # The name that TFX's own ExampleGens give, which its tools look for.
        self._name = f"data_tfrecord-{number:05d}-of-{plan.count:05d}"
        self._plan = plan
        self._unfinished = os.path.join(plan.unfinished, uuid.uuid4().hex)
        self._open = ExitStack()

    def __enter__(self) -> "ShardWriter":
        fileio.makedirs(self._unfinished)
        self._writers = {
            split: self._open.enter_context(tf.io.TFRecordWriter(self._path(split)))
            for split in self._plan.folders
        }
        return self

    def write(self, split: str, example: bytes) -> None:
        """Adds a serialized tf.Example to a split."""
        self._writers[split].write(example)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
        if kind is None:
            for split, folder in self._plan.folders.items():
                target = os.path.join(folder, self._name)
                fileio.rename(self._path(split), target, overwrite=True)

    def _path(self, split: str) -> str:
        return os.path.join(self._unfinished, split)
