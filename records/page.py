"""RunReport's page: `index.html` in the folder of its artifact."""

from pathlib import Path
from typing import Final

PAGE_FILE: Final = "index.html"


def write_page(folder: Path, html: str) -> None:
    """Writes the page; makes the folder where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE_FILE).write_text(html, encoding="utf-8")


def read_page(folder: Path) -> str:
    """Reads the page; OSError where it is not there."""
    return (folder / PAGE_FILE).read_text(encoding="utf-8")
