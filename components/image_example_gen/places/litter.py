"""Files that lie about in data folders and are no data."""

from typing import Final

_LITTER: Final = frozenset(("thumbs.db", "desktop.ini"))


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is passed over."""
    return name.startswith(".") or name.lower() in _LITTER
