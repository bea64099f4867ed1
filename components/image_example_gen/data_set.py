"""The data set of a recipe: rows out of a source, and the place where its files are."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.places import open_place
from darkroom.components.image_example_gen.sources import SOURCES
from darkroom.components.image_example_gen.sources.source import Row


class DataSet:
    """Rows and files, each listed once at most.

    Attributes:
        config: The recipe's `data` section.
        place: Where the files are.
        source: What the rows are written in.
    """

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self.place = open_place(config.path)
        self.source = SOURCES[config.format](config, self.place)
        self._selection = config.selection

    def list_rows(self) -> Iterator[Row]:
        """All rows in a fixed order, those that the recipe does not want marked as skipped.

        Raises:
            DataLocationError: The folder, the table or a column is missing, or cannot be read.
            DataClassesError: It cannot be told what the folders or the splits mean.
        """
        self.place.check_exists()
        return map(self._mark, self.source.list_rows())

    def _mark(self, row: Row) -> Row:
        unlabelled = self.config.skip_unlabelled and not (row.label or row.problem)
        if unlabelled or not self._selection.takes(row.image_path):
            return replace(row, skipped=True)
        return row

    @contextlib.contextmanager
    def on_disk(self) -> Iterator[DataConfig]:
        """The configuration with a data folder of this machine, for the time of the context."""
        with (
            self.place.on_disk(self._list_needed) as path,
            self.source.unpacked(path) as unpacked,
        ):
            yield self.config.model_copy(update={"path": unpacked})

    def _list_needed(self) -> Iterator[str]:
        yield from self.source.files
        for row in self.list_rows():
            if not row.skipped:
                yield row.file


_OPEN: Final[dict[str, DataSet]] = {}


def open_data(config: DataConfig) -> DataSet:
    """The data set of a recipe: the one that `keep_open` keeps in this process, else a new one.

    Raises:
        DataLocationError: Its place cannot be reached.
    """
    return _OPEN.get(config.ingest_json()) or DataSet(config)


@contextlib.contextmanager
def keep_open(config: DataConfig) -> Iterator[None]:
    """Lets check, fingerprint and ingest in this process share one data set, and so one listing.

    Whoever ends first, the caller or the ingest within, lets go of it: nobody after the ingest
    needs a listing, which may be large.

    Raises:
        DataLocationError: Its place cannot be reached.
    """
    key = config.ingest_json()
    _OPEN[key] = open_data(config)
    try:
        yield
    finally:
        _OPEN.pop(key, None)
