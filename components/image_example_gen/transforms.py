"""The Beam graph of the ingest.

The rows are listed and the images read by workers; the graph itself holds the configuration only.
Every number is counted from the written elements, so that a bundle that Beam tries again counts
once.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import apache_beam as beam

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import open_data
from darkroom.components.image_example_gen.examples import serialize_example
from darkroom.components.image_example_gen.load import LoadedRow, load_row
from darkroom.components.image_example_gen.quarantine import (
    CONFLICTING_LABELS,
    DUPLICATES,
    RejectedRow,
    summarize,
    write_rows,
    write_summary,
)
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.components.image_example_gen.split import SPLITS
from darkroom.transform.rejection import RejectedError

_REJECTED: Final = "rejected"
_COUNTS: Final = "counts"
_LABELS: Final = "labels"


class LoadRows(beam.DoFn):
    """Row in; out, by tag: serialized examples of each split, rejected rows, and two side lines.

    The side lines are counts (str, int) by split or reason, and (digest, label) of each example.
    """

    def __init__(self, config: DataConfig) -> None:
        self._config_json = config.model_dump_json()

    def setup(self) -> None:
        """Reads the configuration, once a worker."""
        self._config = DataConfig.model_validate_json(self._config_json)
        self._root = Path(self._config.path).resolve()

    def process(self, row: Row) -> Iterator[beam.pvalue.TaggedOutput]:
        """Loads one row."""
        try:
            loaded = load_row(row, self._root, self._config)
        except RejectedError as rejection:
            yield from self._reject(row, rejection)
        else:
            yield from self._accept(loaded)

    def _reject(self, row: Row, rejection: RejectedError) -> Iterator[beam.pvalue.TaggedOutput]:
        reason = rejection.reason.value
        rejected = RejectedRow(
            row=row.number,
            image_path=row.image_path,
            label=row.label,
            reason=reason,
            detail=rejection.detail,
        )
        yield beam.pvalue.TaggedOutput(_REJECTED, rejected)
        yield beam.pvalue.TaggedOutput(_COUNTS, (reason, 1))

    def _accept(self, loaded: LoadedRow) -> Iterator[beam.pvalue.TaggedOutput]:
        example = serialize_example(loaded, self._config.metadata_columns)
        yield beam.pvalue.TaggedOutput(loaded.split, example)
        yield beam.pvalue.TaggedOutput(_COUNTS, (loaded.split, 1))
        yield beam.pvalue.TaggedOutput(_LABELS, (loaded.digest, loaded.row.label))


def _list_rows(config_json: str) -> Iterator[Row]:
    return open_data(DataConfig.model_validate_json(config_json)).list_rows()


def _count_repeats(item: tuple[bytes, Iterable[str]]) -> Iterator[tuple[str, int]]:
    labels = list(item[1])
    yield DUPLICATES, len(labels) - 1
    yield CONFLICTING_LABELS, int(len(set(labels)) > 1)


def build_ingest(
    pipeline: beam.Pipeline, config: DataConfig, split_uris: dict[str, str], quarantine_uri: str
) -> None:
    """Adds the whole ingest to a pipeline.

    Args:
        pipeline: The pipeline.
        config: The recipe's `data` section, with a folder of this machine as path.
        split_uris: Folder by split, for TFRecord files of tf.Examples (gzip).
        quarantine_uri: Folder for quarantine.jsonl and summary.json.
    """
    loaded = (
        pipeline
        | "Config" >> beam.Create([config.model_dump_json()])
        | "ListRows" >> beam.FlatMap(_list_rows)
        | "Spread" >> beam.Reshuffle()
        | "LoadRows" >> beam.ParDo(LoadRows(config)).with_outputs()
    )
    for split in SPLITS:
        _write_examples(loaded[split], split, split_uris[split])
    _ = (
        loaded[_REJECTED]
        | "GatherRejected" >> beam.combiners.ToList()
        | "WriteRejected" >> beam.Map(lambda rows: write_rows(quarantine_uri, rows))
    )
    _write_counts(loaded, quarantine_uri)


def _write_examples(examples: Any, split: str, uri: str) -> None:
    # The name that TFX's own ExampleGens give, which its tools look for.
    prefix = os.path.join(uri, "data_tfrecord")
    _ = examples | f"Write[{split}]" >> beam.io.WriteToTFRecord(prefix, file_name_suffix=".gz")


def _write_counts(loaded: Any, uri: str) -> None:
    repeats = (
        loaded[_LABELS]
        | "GroupImages" >> beam.GroupByKey()
        | "CountRepeats" >> beam.FlatMap(_count_repeats)
    )
    _ = (
        (loaded[_COUNTS], repeats)
        | "AllCounts" >> beam.Flatten()
        | "Sum" >> beam.CombinePerKey(sum)
        | "GatherCounts" >> beam.combiners.ToDict()
        | "WriteSummary" >> beam.Map(lambda counts: write_summary(uri, summarize(counts)))
    )
