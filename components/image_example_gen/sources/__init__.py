"""What the rows of a data set are written in, whatever place its files are in."""

from typing import Final

from darkroom.components.image_example_gen.sources.csv import CsvSource
from darkroom.components.image_example_gen.sources.folders import FolderSource
from darkroom.components.image_example_gen.sources.json_lines import JsonLinesSource
from darkroom.components.image_example_gen.sources.parquet import ParquetSource
from darkroom.components.image_example_gen.sources.source import Source
from darkroom.components.image_example_gen.sources.tf_record import TfRecordSource
from darkroom.components.image_example_gen.sources.web_dataset import WebDatasetSource

SOURCES: Final[dict[str, type[Source]]] = {
    "csv": CsvSource,
    "folders": FolderSource,
    "jsonl": JsonLinesSource,
    "parquet": ParquetSource,
    "tfrecord": TfRecordSource,
    "webdataset": WebDatasetSource,
}
"""By the recipe's `data.format`."""
