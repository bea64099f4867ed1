"""What a folder or a CSV of somebody's photographs looks like, before there is a recipe."""

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from darkroom.components.image_example_gen.places.litter import is_litter
from darkroom.recipe import ConfigError

IMAGE_COLUMNS: Final = (
    "image_path", "image", "path", "file", "filename", "file_name", "filepath", "image_name", "img",
    "image_file", "photo", "picture",
)  # fmt: skip
LABEL_COLUMNS: Final = (
    "label", "class", "category", "class_name", "label_name", "target", "species", "breed", "y",
)  # fmt: skip
IMAGE_SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".png", ".gif", ".bmp"))
SPLIT_NAMES: Final = frozenset(("train", "val", "valid", "validation", "dev", "test", "eval"))


@dataclass(frozen=True)
class DataLayout:
    """How data lie.

    Attributes:
        path: The data folder.
        format: `folders` or `csv`, as in the recipe.
        csv_file: The CSV's name in the folder; empty for folders.
        image_column: Column with the images' paths; empty for folders.
        label_column: Column with the labels; empty for folders.
    """

    path: Path
    format: str
    csv_file: str = ""
    image_column: str = ""
    label_column: str = ""


def find_layout(place: Path) -> DataLayout:
    """Looks at a folder of class folders, a folder with a CSV, or a CSV.

    Raises:
        ConfigError: It is neither, or more than one thing.
    """
    if place.is_file():
        if place.suffix.lower() != ".csv":
            raise ConfigError(f"{str(place)!r} is no CSV; give a folder of photographs, or a .csv")
        return _csv_layout(place)
    if not place.is_dir():
        raise ConfigError(f"{str(place)!r} does not exist; give a folder of photographs, or a CSV")
    tables = [path for path in _children(place) if path.suffix.lower() == ".csv"]
    classes = [path for path in _children(place) if path.is_dir() and _holds_image(path)]
    if len(tables) == 1:
        return _csv_layout(tables[0])
    if tables and not classes:
        names = ", ".join(path.name for path in tables)
        raise ConfigError(f"{str(place)!r} holds several CSV files ({names}); name the one to use")
    if classes and {path.name.lower() for path in classes} <= SPLIT_NAMES:
        names = ", ".join(path.name for path in classes)
        raise ConfigError(
            f"{str(place)!r} holds splits ({names}), not classes; given splits are not read yet: "
            "put the class folders of all of them into one folder, Darkroom splits them itself"
        )
    if len(classes) < 2:
        raise ConfigError(
            f"{str(place)!r} has {_count(len(classes), 'folder')} with images in it, and no CSV; "
            "make one folder of images per class, at least two, or give a CSV"
        )
    return DataLayout(place, "folders")


def sample_images(layout: DataLayout, number: int = 200) -> list[Path]:
    """Some of the images, spread over the whole."""
    if layout.format == "csv":
        _, rows = _read_csv(layout.path / layout.csv_file)
        found = [layout.path / (row[layout.image_column] or "") for row in rows]
    else:
        found = [path for path in sorted(layout.path.rglob("*")) if _is_image(path)]
    return found[:: max(1, len(found) // number)][:number]


def _csv_layout(table: Path) -> DataLayout:
    columns, rows = _read_csv(table)
    if not rows:
        raise ConfigError(f"{str(table)!r} has no rows")
    image = _by_name(columns, IMAGE_COLUMNS) or _by_suffix(columns, rows)
    others = [column for column in columns if column != image]
    label = _by_name(others, LABEL_COLUMNS) or _by_repetition(others, rows)
    if not image or not label:
        missing = "images' paths" if not image else "labels"
        raise ConfigError(
            f"{str(table)!r}: no column looks like the {missing} (columns: {', '.join(columns)}); "
            f"rename one to {'image_path' if not image else 'label'}"
        )
    return DataLayout(table.parent, "csv", table.name, image, label)


def _read_csv(table: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows, as the ingest reads them.

    Raises:
        ConfigError: It cannot be read, or is not UTF-8.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            return list(reader.fieldnames or ()), list(reader)
    except OSError as error:
        raise ConfigError(f"{str(table)!r} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{str(table)!r} is not UTF-8 (byte {error.start} is {error.object[error.start]:#x}); "
            "save it as UTF-8"
        ) from error


def _by_name(columns: Sequence[str], names: Sequence[str]) -> str:
    by_lower = {column.strip().lower().replace(" ", "_"): column for column in columns}
    return next((by_lower[name] for name in names if name in by_lower), "")


def _by_suffix(columns: Sequence[str], rows: Sequence[dict[str, str]]) -> str:
    """The column whose cells end as names of images do."""
    for column in columns:
        cells = [row[column] or "" for row in rows]
        if sum(_has_image_suffix(cell) for cell in cells) > len(cells) / 2:
            return column
    return ""


def _by_repetition(columns: Sequence[str], rows: Sequence[dict[str, str]]) -> str:
    """The only column whose cells say few things many times; nothing where several do."""
    found = []
    for column in columns:
        counts = Counter(row[column] for row in rows)
        if 2 <= len(counts) <= len(rows) / 4:
            found.append(column)
    return found[0] if len(found) == 1 else ""


def _children(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not is_litter(path.name))


def _holds_image(folder: Path) -> bool:
    return any(_has_image_suffix(name) for name in _file_names(folder))


def _file_names(folder: Path) -> Iterator[str]:
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_litter(name)]
        yield from names


def _is_image(path: Path) -> bool:
    return _has_image_suffix(path.name) and not is_litter(path.name) and path.is_file()


def _has_image_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
