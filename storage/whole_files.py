"""Files and folders that are there whole or not at all, after a kill and after a power cut too."""

import os
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Writes a file beside its place and renames it, so that no reader sees half of it.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def place_folder(partial: Path, target: Path) -> None:
    """Renames a folder that was written beside its place, when all of it is on the disk.

    Raises:
        OSError: It cannot be flushed or renamed.
    """
    for path in (*partial.rglob("*"), partial):
        _flush(path)
    partial.rename(target)
    _flush(target.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
