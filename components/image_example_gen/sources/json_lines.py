"""Rows from JSON Lines, such as the `metadata.jsonl` of Hugging Face's image folders."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.sources.table import SEVERAL, Record, TableSource


class JsonLinesSource(TableSource):
    """One JSON object a line, in UTF-8; a key that a line has not is an empty cell."""

    file_field = "jsonl_file"

    def list_columns(self, name: str) -> list[str]:
        """See `TableSource`; those of the first row, and the others that are asked for."""
        first = next(self._read(name), (1, {}))[1]
        later = set(self._config.columns) - set(first)
        if later:
            later &= {key for _, cells in self._read(name) for key in cells}
        return [*first, *sorted(later)]

    def list_records(self, name: str, columns: Sequence[str]) -> Iterator[Record]:
        """See `TableSource`."""
        missing = dict.fromkeys(columns, "")
        for number, cells in self._read(name):
            yield Record(number, missing | {key: to_text(cell) for key, cell in cells.items()})

    def _read(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        with self._place.open(name, f"data.{self.file_field}") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    cells = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except ValueError as error:
                    self._refuse(name, number, str(error))
                if not isinstance(cells, dict):
                    self._refuse(name, number, f"{type(cells).__name__} instead of an object")
                yield number, cells

    def _refuse(self, name: str, number: int, fault: str) -> None:
        raise DataLocationError(
            f"data.{self.file_field}: {name!r}, line {number}: {fault}; "
            "each line should be one JSON object"
        )


def to_text(cell: Any) -> str:
    """A value as a CSV would have it; a list's values with what no label has between them."""
    if cell is None:
        return ""
    if isinstance(cell, list | tuple):
        return SEVERAL.join(map(to_text, cell))
    return str(cell)
