"""Rows from a table, one image a row, however the table is written."""

import os
import posixpath
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from darkroom.components.image_example_gen.errors import DataClassesError, DataLocationError
from darkroom.components.image_example_gen.labels import normalize_label
from darkroom.components.image_example_gen.sources.image_paths import ImagePaths
from darkroom.components.image_example_gen.sources.source import DataFields, Row, Source, Within
from darkroom.components.image_example_gen.sources.split_names import (
    KNOWN_NAMES,
    SPLIT_COLUMNS,
    parse_split,
)

if TYPE_CHECKING:
    from darkroom.components.image_example_gen.places import Place

SEVERAL: Final = "|"
"""Stands between the labels of a row that has several, which no model here can have."""
_YES: Final = frozenset(("1", "1.0", "true", "yes"))
_NO: Final = frozenset(("", "0", "0.0", "false", "no"))


class Record(NamedTuple):
    """A row of a table.

    Attributes:
        number: As of `Row`.
        cells: By column.
        problem: Why it cannot be read, or empty.
        within: Where the image is that the row itself holds.
    """

    number: int
    cells: Mapping[str, str]
    problem: str = ""
    within: Within | None = None


class TableSource(Source):
    """A table, or one for each split; rows are read one by one, however many there are.

    Attributes:
        file_field: The recipe's field that names the table, without `data.`.
    """

    file_field: ClassVar[str]
    label_field = "data.label_column"
    image_field = "data.image_column"
    class_remedy = "give at least two labels"

    def __init__(self, config: DataFields, place: "Place") -> None:
        super().__init__(config, place)
        self._paths = ImagePaths(place, config.image_prefix, config.image_suffix)
        self._empty = frozenset(word.lower() for word in config.empty_labels)
        self._emptied: set[str] = set()
        self._columns: set[str] = set()

    @classmethod
    def find_conflict(cls, config: DataFields) -> str:
        """See `Source`."""
        if not config.path_pattern:
            return ""
        return "path_pattern reads class folders; use format: folders, or leave it out"

    @abstractmethod
    def list_columns(self, name: str) -> list[str]:
        """The columns of a table.

        Raises:
            DataLocationError: It cannot be read.
        """

    @abstractmethod
    def list_records(self, name: str, columns: Sequence[str]) -> Iterator[Record]:
        """The rows of a table, in its order, with these of its columns and maybe others.

        Raises:
            DataLocationError: It cannot be read.
        """

    @property
    def name(self) -> str:
        """See `Source`."""
        return ", ".join(f"{self._config.path}/{name}" for name in self._tables)

    @property
    def files(self) -> tuple[str, ...]:
        """See `Source`."""
        return tuple(os.path.normpath(name) for name in self._tables)

    @property
    def _tables(self) -> Mapping[str, str]:
        """Names of the tables, each with the split that it is of; empty: of none."""
        if self._config.split_files:
            return {name: split for split, name in self._config.split_files.items()}
        return {getattr(self._config, self.file_field): ""}

    def list_rows(self) -> Iterator[Row]:
        """See `Source`."""
        self._paths.respellings = 0
        for name, split in self._tables.items():
            columns = self.list_columns(name)
            self._check_columns(columns, name)
            self._columns.update(columns)
            for record in self.list_records(name, self._config.columns):
                yield self._read_row(record, split, posixpath.dirname(name))

    def list_notes(self) -> list[str]:
        """See `Source`."""
        notes = []
        written, found = self._paths.respelled
        if found:
            count = self._paths.respellings
            notes.append(
                f"{count} image paths are spelt otherwise than files: {written!r} is {found!r}"
            )
        if self._emptied:
            words = ", ".join(map(repr, sorted(self._emptied)))
            notes.append(f"labels that are taken for none (data.empty_labels): {words}")
        unused = self._columns - {*self._config.columns}
        splits = [column for column in sorted(unused) if column.lower() in SPLIT_COLUMNS]
        if splits and not self._config.split_column:
            notes.append(f"column {splits[0]!r} is not used: data.split_column, if it says splits")
        return notes

    def explain_missing(self, row: Row) -> str:
        """See `Source`."""
        return self._paths.explain(row.image_path)

    def find_prefix(self, path: str) -> str:
        """What `data.image_prefix` has to be for a path that leads nowhere; empty: not known."""
        return self._paths.find_prefix(path)[1]

    def _check_columns(self, columns: list[str], name: str) -> None:
        for column in self._config.columns:
            if columns.count(column) == 1:
                continue
            fault = "has more than one" if column in columns else "has no"
            found = ", ".join(columns) or "no header"
            if column == self._config.label_column and not self._config.one_hot_columns:
                found += "; for a column a class, set data.one_hot_columns"
            raise DataLocationError(
                f"{self._field_of(column)}: {name!r} {fault} column {column!r}; it has: {found}"
            )

    def _field_of(self, column: str) -> str:
        fields = ("image_column", "label_column", "group_column", "split_column")
        named = (field for field in fields if getattr(self._config, field) == column)
        several = ("one_hot_columns", "metadata_columns")
        held = (field for field in several if column in getattr(self._config, field))
        return f"data.{next(named, '') or next(held)}"

    def _read_row(self, record: Record, split: str, folder: str) -> Row:
        config, cells = self._config, record.cells
        path, problem = cells[config.image_column].strip(), ""
        if not record.within:
            path, problem = self._paths.find(path, folder)
        label, unclear = self._read_label(cells)
        if config.split_column:
            split = self._read_split(cells[config.split_column].strip(), record.number)
        return Row(
            number=record.number,
            image_path=path,
            label=label,
            group=cells[config.group_column].strip() if config.group_column else "",
            metadata=tuple(cells[name].strip() for name in config.metadata_columns),
            problem=record.problem or problem or unclear,
            split=split,
            within=record.within,
        )

    def _read_label(self, cells: Mapping[str, str]) -> tuple[str, str]:
        """The label, and why it cannot be read, or empty."""
        columns = self._config.one_hot_columns
        if not columns:
            label = normalize_label(cells[self._config.label_column])
            if label.lower() not in self._empty:
                return label, ""
            self._emptied.add(label)
            return "", ""
        marks = {column: cells[column].strip().lower() for column in columns}
        for column, mark in marks.items():
            if mark not in _YES | _NO:
                return "", f"{mark!r} in column {column!r}, which should be 0 or 1"
        return SEVERAL.join(column for column in columns if marks[column] in _YES), ""

    def _read_split(self, written: str, number: int) -> str:
        split = parse_split(written)
        if not split:
            raise DataClassesError(
                f"data.split_column: {written!r} in row {number} is no split; known are "
                f"{KNOWN_NAMES}; correct it, or leave data.split_column out to draw the splits"
            )
        return split
