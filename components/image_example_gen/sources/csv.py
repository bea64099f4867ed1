"""Rows from a CSV, one image a row."""

import codecs
import contextlib
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, TextIO, cast

from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.sources.table import Record, TableSource

_DELIMITERS: Final = ",;\t| "
_PREAMBLE: Final = 10
"""Lines among which the header is."""
_LINE: Final = 2**16
_NO_HEADER: Final = re.compile(r"#|sep=").match
_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class CsvSource(TableSource):
    """A CSV, of whatever delimiter, packed with gzip or not."""

    file_field = "csv_file"

    def list_columns(self, name: str) -> list[str]:
        """See `TableSource`."""
        return [column.strip() for column in next(self._read(name, *self._find_header(name)), [])]

    def list_records(self, name: str, columns: Sequence[str]) -> Iterator[Record]:
        """See `TableSource`; lines without a cell are none."""
        before, delimiter = self._find_header(name)
        lines = self._read(name, before, delimiter)
        header = [column.strip() for column in next(lines, [])]
        width = len(header)
        for number, cells in enumerate(lines, start=before + 2):
            if not any(cell.strip() for cell in cells):
                continue
            problem = ""
            if len(cells) < width or any(cells[width:]):
                problem = f"{len(cells)} cells, the header has {width}"
                cells = cells + [""] * (width - len(cells))
            yield Record(number, dict(zip(header, cells, strict=False)), problem)

    def _read(self, name: str, before: int, delimiter: str) -> Iterator[list[str]]:
        with self._open(name) as text:
            for _ in range(before):
                next(text)
            # strict: without it a quote that is never closed swallows all rows after it, unseen.
            reader = csv.reader(text, strict=True, delimiter=delimiter, skipinitialspace=True)
            try:
                yield from reader
            except csv.Error as error:
                raise DataLocationError(
                    f"data.{self.file_field}: {name!r}, near line {before + reader.line_num}: "
                    f"{error}; check the quotes there"
                ) from None

    def _find_header(self, name: str) -> tuple[int, str]:
        """How many lines are before the header, and the delimiter.

        It is the line with most of the columns that are asked for; without any, the first that is
        neither blank nor a comment.
        """
        with self._open(name) as text:
            lines = [text.readline(_LINE) for _ in range(_PREAMBLE)]
        wanted = {*self._config.columns}

        def rate(choice: tuple[int, str]) -> tuple[int, int, int]:
            number, delimiter = choice
            cells = [cell.strip(' "\r\n') for cell in lines[number].split(delimiter)]
            # A space stands in names too: it is one only where the columns show it.
            return len(wanted & {*cells}), -number, len(cells) * (delimiter != " ")

        numbers = [n for n, line in enumerate(lines) if line.strip() and not _NO_HEADER(line)]
        delimiters = self._config.delimiter or _DELIMITERS
        return max(((n, each) for n in numbers or [0] for each in delimiters), key=rate)

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[TextIO]:
        field = f"data.{self.file_field}"
        with self._place.open(name, field) as file:
            plain = _unpack(file, name)
            try:
                encoding = self._config.encoding or _find_encoding(plain)
                yield io.TextIOWrapper(plain, encoding, newline="")
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise DataLocationError(
                    f"{field}: {name!r} cannot be unpacked ({error}); pack it anew with gzip"
                ) from None
            except UnicodeError:
                self._refuse_encoding(name)
                raise

    def _refuse_encoding(self, name: str) -> None:
        """Names the first byte that cannot be read; a reader of blocks does not know its line."""
        encoding = self._config.encoding or "UTF-8"
        with self._place.open(name, f"data.{self.file_field}") as file:
            for number, line in enumerate(_unpack(file, name), start=1):
                try:
                    line.decode(encoding)
                except UnicodeDecodeError as error:
                    raise DataLocationError(
                        f"data.{self.file_field}: {name!r} is not {encoding} "
                        f"(byte 0x{line[error.start]:02x} in line {number}); save it as UTF-8, or "
                        "say its encoding in data.encoding, such as cp1252 for Western Windows"
                    ) from None


def _unpack(file: BinaryIO, name: str) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if name.endswith(".gz") else file


def _find_encoding(file: BinaryIO) -> str:
    """UTF-16 by its mark, else UTF-8; the file is left at its start."""
    start = file.read(2)
    file.seek(0)
    return _MARKS.get(start, "utf-8-sig")
