"""Rows from a CSV, one image a row."""

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from typing import Final

from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.sources.source import (
    DataFields,
    Row,
    Source,
    normalize_label,
)

_FIELD: Final = "data.csv_file"


class CsvSource(Source):
    """A CSV; its rows are read one by one, however many there are."""

    label_field = "data.label_column"
    image_field = "data.image_column"
    class_remedy = "give at least two labels"

    @property
    def name(self) -> str:
        """See `Source`."""
        return f"{self._config.path}/{self._config.csv_file}"

    @property
    def files(self) -> tuple[str, ...]:
        """See `Source`."""
        return (os.path.normpath(self._config.csv_file),)

    def list_rows(self) -> Iterator[Row]:
        """See `Source`."""
        records = self._records()
        header = [name.strip() for name in next(records, [])]
        _check_header(header, self._config)
        column = {name: header.index(name) for name in self._config.columns}
        for number, cells in enumerate(records, start=2):
            if cells:
                yield _read_row(number, cells, len(header), column, self._config)

    def digest(self) -> bytes:
        """See `Source`."""
        with self._place.open(self._config.csv_file, _FIELD) as file:
            return hashlib.sha256(file.read()).digest()

    def _records(self) -> Iterator[list[str]]:
        with self._place.open(self._config.csv_file, _FIELD) as file:
            text = io.TextIOWrapper(file, "utf-8-sig", newline="")
            # strict: without it a quote that is never closed swallows all rows after it, unseen.
            reader = csv.reader(text, strict=True)
            try:
                yield from reader
            except csv.Error as error:
                raise DataLocationError(
                    f"{_FIELD}: {self._config.csv_file!r}, near line {reader.line_num}: {error}; "
                    "check the quotes there"
                ) from None
            except UnicodeDecodeError:
                self._refuse_encoding()
                raise

    def _refuse_encoding(self) -> None:
        """Names the first byte that is not UTF-8; a reader of blocks does not know its line."""
        with self._place.open(self._config.csv_file, _FIELD) as file:
            for number, line in enumerate(file, start=1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    raise DataLocationError(
                        f"{_FIELD}: {self._config.csv_file!r} is not UTF-8 "
                        f"(byte 0x{line[error.start]:02x} in line {number}); save it as UTF-8"
                    ) from None


def _check_header(header: Sequence[str], config: DataFields) -> None:
    for name in config.columns:
        if header.count(name) != 1:
            fault = "has no" if name not in header else "has more than one"
            found = ", ".join(header) or "no header"
            raise DataLocationError(
                f"{_field_of(name, config)}: {config.csv_file!r} {fault} column {name!r}; "
                f"it has: {found} (columns are separated by commas)"
            )


def _field_of(column: str, config: DataFields) -> str:
    for field in ("image_column", "label_column", "group_column"):
        if getattr(config, field) == column:
            return f"data.{field}"
    return "data.metadata_columns"


def _read_row(
    number: int, cells: list[str], width: int, column: dict[str, int], config: DataFields
) -> Row:
    problem = ""
    if len(cells) < width or any(cells[width:]):
        problem = f"{len(cells)} cells, the header has {width}"
        cells = cells + [""] * (width - len(cells))
    return Row(
        number=number,
        image_path=cells[column[config.image_column]].strip(),
        label=normalize_label(cells[column[config.label_column]]),
        group=cells[column[config.group_column]].strip() if config.group_column else "",
        metadata=tuple(cells[column[name]].strip() for name in config.metadata_columns),
        problem=problem,
    )
