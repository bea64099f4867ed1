"""What a folder or a table of somebody's photographs looks like, before there is a recipe."""

import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import open_data
from darkroom.components.image_example_gen.places import open_place
from darkroom.components.image_example_gen.places.archive import is_archive
from darkroom.components.image_example_gen.sources.split_names import (
    SPLIT_COLUMNS,
    parse_split,
    parse_splits,
)
from darkroom.components.image_example_gen.sources.table import TableSource
from darkroom.components.image_example_gen.split import TRAIN
from darkroom.recipe import ConfigError

IMAGE_COLUMNS: Final = (
    "image_path", "image", "path", "file", "filename", "file_name", "filepath", "image_name", "img",
    "image_file", "image_id", "photo", "picture", "id",
)  # fmt: skip
LABEL_COLUMNS: Final = (
    "label", "class", "category", "class_name", "label_name", "target", "species", "breed", "y",
    "labels", "classes", "classid", "class_id", "label_id", "diagnosis", "dx", "type", "tag",
)  # fmt: skip
IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic")
_FORMATS: Final = {".csv": "csv", ".tsv": "csv", ".csv.gz": "csv", ".jsonl": "jsonl",
                   ".parquet": "parquet"}  # fmt: skip
_METADATA: Final = re.compile(r"[^/]+/metadata\.(?:csv|jsonl|parquet)")
"""Of Hugging Face's image folders, one in the folder of each split."""
_LOOKED_AT: Final = 10_000
"""Rows of a table that show what its columns are."""
_BITS: Final = frozenset(("0", "1", "0.0", "1.0"))


@dataclass(frozen=True)
class DataLayout:
    """How data lie.

    Attributes:
        path: The data folder.
        section: Further fields of the recipe's `data`.
    """

    path: Path
    section: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> DataConfig:
        """The recipe's `data`, as far as it is known."""
        return DataConfig(path=self.path, **self.section)


def find_layout(place: Path) -> DataLayout:
    """Looks at class folders or a table, in a folder or an archive, or at a table.

    Raises:
        ConfigError: It is neither, or more than one thing.
        DataError: It cannot be read, or not be understood.
    """
    if place.is_file() and not is_archive(place):
        if not _format_of(place.name):
            raise ConfigError(f"{str(place)!r} is no CSV; give a folder of photographs, or a .csv")
        return _read_table(place.parent, place.name)
    if not place.exists():
        raise ConfigError(f"{str(place)!r} does not exist; give a folder of photographs, or a CSV")
    names = open_place(place).list_files()
    tables = [name for name in names if "/" not in name and _format_of(name)]
    if len(tables) == 1:
        return _read_table(place, tables[0])
    tables = tables or [name for name in names if _METADATA.fullmatch(name)]
    splits = parse_splits(map(_stem, tables))
    if tables and len({*splits.values()}) == len(tables) and TRAIN in splits.values():
        return _read_split_tables(place, tables)
    classes = any("/" in name and name.lower().endswith(IMAGE_SUFFIXES) for name in names)
    if tables and not classes:
        raise ConfigError(
            f"{str(place)!r} holds several tables ({', '.join(tables)}); name the one to use"
        )
    if not classes:
        raise ConfigError(
            f"{str(place)!r} has no folders with images in it, and no CSV; "
            "make one folder of images per class, at least two, give a CSV, or write a recipe with "
            "data.path_pattern"
        )
    return DataLayout(place, {"format": "folders"})


def median_side(layout: DataLayout, number: int = 200) -> int:
    """Median of the shorter sides of some images, in pixels; 0 where none can be opened."""
    from PIL import Image

    data = open_data(layout.config)
    names = [row.image_path for row in data.list_rows() if not row.skipped]
    sides = []
    with data.on_disk() as local:
        for name in names[:: max(1, len(names) // number)][:number]:
            try:
                with Image.open(Path(local.path, name)) as opened:
                    sides.append(min(opened.size))
            except Exception:  # Whatever it is, the run's quarantine will name it.
                continue
    return int(statistics.median(sides)) if sides else 0


def _read_split_tables(folder: Path, tables: Sequence[str]) -> DataLayout:
    files = {parse_split(_stem(name)): name for name in tables}
    train = _read_table(folder, files[TRAIN])
    section = {key: value for key, value in train.section.items() if not key.endswith("_file")}
    return DataLayout(folder, {**section, "split_files": files})


def _read_table(folder: Path, table: str) -> DataLayout:
    kind = _format_of(table)
    section: dict[str, Any] = {"format": kind, f"{kind}_file": table}
    source = open_data(DataConfig(path=folder, **section)).source
    assert isinstance(source, TableSource)
    columns = source.list_columns(table)
    records = islice(source.list_records(table, columns), _LOOKED_AT)
    cells = [{column: record.cells[column].strip() for column in columns} for record in records]
    if not cells:
        raise ConfigError(f"{table!r} has no rows")
    image = _by_suffix(columns, cells) or _by_name(columns, IMAGE_COLUMNS)
    others = [column for column in columns if column != image]
    split = _by_name(others, SPLIT_COLUMNS)
    if split and all(parse_split(row[split]) for row in cells):
        section["split_column"] = split
        others.remove(split)
    labels = _find_labels(others, cells)
    if not image or not labels:
        missing = "images' paths" if not image else "labels"
        raise ConfigError(
            f"{table!r}: no column looks like the {missing} (columns: {', '.join(columns)}); "
            f"rename one to {'image_path' if not image else 'label'}"
        )
    return _add_prefix(DataLayout(folder, {**section, "image_column": image, **labels}))


def _find_labels(columns: Sequence[str], cells: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The label column, or columns of which one is 1 in each row; empty: none."""
    if label := _by_name(columns, LABEL_COLUMNS):
        return {"label_column": label}
    bits = [column for column in columns if all(row[column] in _BITS for row in cells)]
    if len(bits) > 1 and all(sum(float(row[column]) for column in bits) == 1 for row in cells):
        return {"one_hot_columns": bits}
    label = _by_repetition(columns, cells)
    return {"label_column": label} if label else {}


def _add_prefix(layout: DataLayout) -> DataLayout:
    """With the prefix that leads to the images, where all of some need the same one."""
    data = open_data(layout.config)
    rows = list(islice(data.list_rows(), 100))
    if any(data.source.has_image(row) for row in rows) or not isinstance(data.source, TableSource):
        return layout
    prefix = data.source.find_prefix(rows[0].image_path)
    tried = DataLayout(layout.path, {**layout.section, "image_prefix": prefix})
    data = open_data(tried.config)
    found = all(data.source.has_image(row) for row in islice(data.list_rows(), 100))
    return tried if prefix and found else layout


def _by_name(columns: Sequence[str], names: Sequence[str]) -> str:
    by_lower = {column.lower().replace(" ", "_"): column for column in columns}
    return next((by_lower[name] for name in names if name in by_lower), "")


def _by_suffix(columns: Sequence[str], cells: Sequence[Mapping[str, str]]) -> str:
    """The column whose cells end as names of images do; of several the one with a usual name."""
    found = [
        column
        for column in columns
        if sum(row[column].lower().endswith(IMAGE_SUFFIXES) for row in cells) > len(cells) / 2
    ]
    return _by_name(found, IMAGE_COLUMNS) or next(iter(found), "")


def _by_repetition(columns: Sequence[str], cells: Sequence[Mapping[str, str]]) -> str:
    """The only column whose cells say few things many times; nothing where several do."""
    found = []
    for column in columns:
        counts = Counter(row[column] for row in cells)
        if 2 <= len(counts) <= len(cells) / 4:
            found.append(column)
    return found[0] if len(found) == 1 else ""


def _stem(table: str) -> str:
    """What says the split of a table: its name, or that of the folder in which metadata lie."""
    return table.partition("/" if "/" in table else ".")[0]


def _format_of(name: str) -> str:
    """The recipe's `data.format` of a table; empty: it is none."""
    lower = name.lower()
    return next((kind for suffix, kind in _FORMATS.items() if lower.endswith(suffix)), "")
