"""Files that are there whole or not at all."""

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
