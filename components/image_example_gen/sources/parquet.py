"""Rows from a Parquet file."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.sources.json_lines import to_text
from darkroom.components.image_example_gen.sources.table import Record, TableSource

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_BATCH = 4096


class ParquetSource(TableSource):
    """A Parquet file whose cells are texts or numbers; only the wanted columns are read."""

    file_field = "parquet_file"

    def list_columns(self, name: str) -> list[str]:
        """See `TableSource`."""
        with self._place.open(name, f"data.{self.file_field}") as file:
            schema = self._open(file, name).schema_arrow
        column = self._config.image_column
        kind = str(schema.field(column).type) if column in schema.names else ""
        if kind.startswith(("struct", "binary", "large_binary")):
            raise DataLocationError(
                f"data.image_column: {column!r} of {name!r} holds the images themselves, which is "
                "not read; write them as files beside the table, or as WebDataset or TFRecord"
            )
        return list(schema.names)

    def list_records(self, name: str, columns: Sequence[str]) -> Iterator[Record]:
        """See `TableSource`; the first row is number 1."""
        number = 0
        with self._place.open(name, f"data.{self.file_field}") as file:
            table = self._open(file, name)
            for batch in table.iter_batches(_BATCH, columns=list(columns)):
                for cells in batch.to_pylist():
                    number += 1
                    yield Record(number, {key: to_text(cell) for key, cell in cells.items()})

    def _open(self, file: Any, name: str) -> "ParquetFile":
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile

        try:
            return ParquetFile(file)
        except (ArrowInvalid, OSError) as error:
            fault = str(error).splitlines()[0]
            raise DataLocationError(
                f"data.{self.file_field}: {name!r} is no Parquet file ({fault}); "
                "name one, or set data.format"
            ) from None
