"""Lists the rows of a data set, from a CSV or from class folders, without opening an image."""

import csv
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.folder import DataFolder, open_folder


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the input, before its image is looked at.

    Args:
        number: CSV: as a spreadsheet counts, the header being 1. Folders: from 1, by path.
        image_path: Relative to the data folder.
        label: Class name; empty where the row has none.
        group: Value of the group column, or empty.
        metadata: Values in the order of the recipe's `metadata_columns`.
        problem: Why the row itself cannot be read, or empty.
    """

    number: int
    image_path: str
    label: str
    group: str = ""
    metadata: tuple[str, ...] = ()
    problem: str = ""


def list_rows(config: DataConfig, folder: DataFolder | None = None) -> Iterator[Row]:
    """All rows in a fixed order.

    Args:
        config: The recipe's `data` section.
        folder: Its data folder, where that is open already.

    Raises:
        DataLocationError: The folder, the CSV or a column is missing, or the CSV is unreadable.
    """
    folder = folder or open_folder(config)
    folder.check_exists()
    return _csv_rows(config, folder) if config.format == "csv" else _folder_rows(folder)


def _csv_rows(config: DataConfig, folder: DataFolder) -> Iterator[Row]:
    records = _records(config, folder)
    header = [name.strip() for name in next(records, [])]
    _check_header(header, config)
    column = {name: header.index(name) for name in config.columns}
    for number, cells in enumerate(records, start=2):
        if cells:
            yield _csv_row(number, cells, len(header), column, config)


def _records(config: DataConfig, folder: DataFolder) -> Iterator[list[str]]:
    # strict: without it a quote that is never closed swallows all rows after it, unseen.
    reader = csv.reader(io.StringIO(_csv_text(config, folder), newline=""), strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise DataLocationError(
            f"data.csv_file: {config.csv_file!r}, near line {reader.line_num}: {error}; "
            "check the quotes there"
        ) from None


def _csv_text(config: DataConfig, folder: DataFolder) -> str:
    content = folder.read_csv()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataLocationError(
            f"data.csv_file: {config.csv_file!r} is not UTF-8 "
            f"(byte 0x{content[error.start]:02x} in line {line}); save it as UTF-8"
        ) from None


def _check_header(header: Sequence[str], config: DataConfig) -> None:
    for name in config.columns:
        if header.count(name) != 1:
            fault = "has no" if name not in header else "has more than one"
            found = ", ".join(header) or "no header"
            raise DataLocationError(
                f"{_field_of(name, config)}: {config.csv_file!r} {fault} column {name!r}; "
                f"it has: {found} (columns are separated by commas)"
            )


def _field_of(column: str, config: DataConfig) -> str:
    for field in ("image_column", "label_column", "group_column"):
        if getattr(config, field) == column:
            return f"data.{field}"
    return "data.metadata_columns"


def _csv_row(
    number: int, cells: list[str], width: int, column: dict[str, int], config: DataConfig
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


def normalize_label(text: str) -> str:
    """Without outer white space, and in Unicode's composed form (macOS decomposes file names)."""
    return unicodedata.normalize("NFC", text.strip())


def _folder_rows(folder: DataFolder) -> Iterator[Row]:
    for number, path in enumerate(folder.list_images(), start=1):
        yield Row(number, path, normalize_label(path.partition("/")[0]))
