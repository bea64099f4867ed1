"""Files that lie about in data folders and are no data."""

from typing import Final

_LITTER: Final = frozenset(
    ("thumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found")
)
_SIDE_CARS: Final = (
    ".json", ".jsonl", ".xml", ".txt", ".csv", ".tsv", ".md", ".yaml", ".yml", ".xmp", ".aae",
    ".html", ".htm", ".log", ".ini", ".url", ".db", ".parquet", ".gz", ".py", ".ipynb", ".md5",
)  # fmt: skip


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is passed over."""
    return name.startswith(".") or name.lower() in _LITTER


def is_side_car(name: str) -> bool:
    """Whether a file of this name says something about images and is none."""
    return name.lower().endswith(_SIDE_CARS)
