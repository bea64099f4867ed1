"""The Beam graph of the ingest.

The rows are listed and the images read by workers; the graph itself holds the configuration only.
Every number is counted from the elements that come out, so that a bundle that Beam tries again
counts once.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import apache_beam as beam

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import open_data
from darkroom.components.image_example_gen.examples import serialize_example
from darkroom.components.image_example_gen.load import LoadedRow, load_rows
from darkroom.components.image_example_gen.quarantine import (
    CONFLICTING_LABELS,
    DUPLICATES,
    SKIPPED,
    RejectedRow,
    summarize,
    write_rows,
    write_summary,
)
from darkroom.components.image_example_gen.shards import ShardPlan, ShardWriter, hash_row
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.components.image_example_gen.split import SplitPlan
from darkroom.records import progress
from darkroom.transform.rejection import RejectedError

_REJECTED: Final = "rejected"
_COUNTS: Final = "counts"
_LABELS: Final = "labels"


class WriteShards(beam.DoFn):
    """Numbers of shards and their rows in; out, by tag: rejected rows, and two side lines.

    The side lines are counts of ((label, split or reason), int), and (digest, label) of each
    example.
    """

    def __init__(self, config: DataConfig, splits: SplitPlan, shards: ShardPlan) -> None:
        self._config_json = config.model_dump_json()
        self._splits = splits
        self._shards = shards

    def setup(self) -> None:
        """Reads the configuration and starts threads, once a worker."""
        self._config = DataConfig.model_validate_json(self._config_json)
        self._root = Path(self._config.path).resolve()
        self._pool = ThreadPoolExecutor(os.cpu_count())

    def teardown(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def process(self, shard: tuple[int, Iterable[Row]]) -> Iterator[beam.pvalue.TaggedOutput]:
        """Loads the rows of a shard and writes their examples."""
        number, rows = shard[0], list(shard[1])
        wanted = [row for row in rows if not row.skipped]
        yield beam.pvalue.TaggedOutput(_COUNTS, (("", SKIPPED), len(rows) - len(wanted)))
        ordered = sorted(wanted, key=lambda row: (hash_row(row), row.number))
        with ShardWriter(self._shards, number) as writer:
            for row, loaded in self._load(ordered):
                progress.advance()
                if isinstance(loaded, RejectedError):
                    yield from _reject(row, loaded)
                    continue
                writer.write(loaded.split, serialize_example(loaded, self._config.metadata_columns))
                yield beam.pvalue.TaggedOutput(_COUNTS, ((row.label, loaded.split), 1))
                yield beam.pvalue.TaggedOutput(_LABELS, (loaded.digest, row.label))

    def _load(self, rows: Sequence[Row]) -> Iterator[tuple[Row, LoadedRow | RejectedError]]:
        return load_rows(rows, self._root, self._config, self._splits, self._pool)


def _reject(row: Row, rejection: RejectedError) -> Iterator[beam.pvalue.TaggedOutput]:
    reason = rejection.reason.value
    rejected = RejectedRow(
        row=row.number,
        image_path=row.image_path,
        label=row.label,
        reason=reason,
        detail=rejection.detail,
    )
    yield beam.pvalue.TaggedOutput(_REJECTED, rejected)
    # A folder's name need not be UTF-8; JSON is.
    label = row.label.encode(errors="replace").decode()
    yield beam.pvalue.TaggedOutput(_COUNTS, ((label, reason), 1))


def _list_rows(config_json: str) -> Iterator[Row]:
    progress.begin("images")
    for row in open_data(DataConfig.model_validate_json(config_json)).list_rows():
        progress.expect(int(not row.skipped))
        yield row


def _count_repeats(item: tuple[bytes, Iterable[str]]) -> Iterator[tuple[tuple[str, str], int]]:
    labels = list(item[1])
    yield ("", DUPLICATES), len(labels) - 1
    yield ("", CONFLICTING_LABELS), int(len(set(labels)) > 1)


def build_ingest(
    pipeline: beam.Pipeline,
    config: DataConfig,
    splits: SplitPlan,
    shards: ShardPlan,
    quarantine_uri: str,
) -> None:
    """Adds the whole ingest to a pipeline.

    Args:
        pipeline: The pipeline.
        config: The recipe's `data` section, with a folder of this machine as path.
        splits: How rows are split that have no given split.
        shards: Where the TFRecord files of tf.Examples go.
        quarantine_uri: Folder for quarantine.jsonl and summary.json.
    """
    written = (
        pipeline
        | "Config" >> beam.Create([config.model_dump_json()])
        | "ListRows" >> beam.FlatMap(_list_rows)
        | "PlaceRows" >> beam.Map(lambda row: (shards.place(row), row))
        # Rows, without their images: those of a whole shard are put in order in memory.
        | "GroupShards" >> beam.GroupByKey()
        | "WriteShards" >> beam.ParDo(WriteShards(config, splits, shards)).with_outputs()
    )
    _ = (
        written[_REJECTED]
        | "GatherRejected" >> beam.combiners.ToList()
        | "WriteRejected" >> beam.Map(lambda rows: write_rows(quarantine_uri, rows))
    )
    # Of a split without examples too, so that the gate sees that it is empty.
    none = pipeline | "Splits" >> beam.Create([(("", split), 0) for split in shards.folders])
    _write_counts(written, none, quarantine_uri)


def _write_counts(written: Any, none: Any, uri: str) -> None:
    repeats = (
        written[_LABELS]
        | "GroupImages" >> beam.GroupByKey()
        | "CountRepeats" >> beam.FlatMap(_count_repeats)
    )
    _ = (
        (written[_COUNTS], repeats, none)
        | "AllCounts" >> beam.Flatten()
        | "Sum" >> beam.CombinePerKey(sum)
        | "GatherCounts" >> beam.combiners.ToDict()
        | "WriteSummary" >> beam.Map(lambda counts: write_summary(uri, summarize(counts)))
    )
