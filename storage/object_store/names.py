"""Names that can be those of objects and of files."""

import os
from collections.abc import Collection
from typing import Final

from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.object_store.location import Location

_PART_BYTES: Final = 255
_VERSION: Final = "?versionId="


def check_names(names: Collection[str], location: Location) -> None:
    """Raises ObjectStoreError for names in a folder that files and objects cannot both have."""
    folders: set[str] = set()
    for name in names:
        check_version(location.join(name))
        parts = name.split("/")
        if fault := _fault(name, parts):
            raise ObjectStoreError(
                f"{location}: the object {name!r} cannot become a file{fault}; rename it"
            )
        folders.update("/".join(parts[:end]) for end in range(1, len(parts)))
    for name in names:
        if name in folders:
            raise ObjectStoreError(
                f"{location}: {name!r} is an object and a folder of others; rename one"
            )


def check_version(location: Location) -> None:
    """Raises ObjectStoreError for a name that s3fs takes for a version of another object."""
    if location.scheme != "gs" and _VERSION in location.key:
        raise ObjectStoreError(
            f"{location}: a name with {_VERSION!r} in it would stand for another object; rename it"
        )


def _fault(name: str, parts: list[str]) -> str:
    if {"", ".", ".."} & set(parts) or "\0" in name:
        return " of that name"
    if max(len(os.fsencode(part)) for part in parts) > _PART_BYTES:
        return f", since a part of its name has more than {_PART_BYTES} bytes"
    return ""
