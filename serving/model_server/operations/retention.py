"""How long the files of the request log stay."""

import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

DAY_SECONDS: Final = 86_400.0
_TIME: Final = "%Y%m%dT%H%M%S.%fZ"
_NAME_END: Final = re.compile(r"-(\d{8}T\d{6}\.\d{6}Z)-\d+\.tfrecord")


def name_file(prefix: str) -> str:
    """Returns the path of a file of which the first record comes now."""
    return f"{prefix}-{datetime.now(timezone.utc):{_TIME}}-{os.getpid()}.tfrecord"


def is_local(prefix: str) -> bool:
    """Returns whether a prefix is a path of this machine, and not `gs://…`."""
    return "://" not in prefix


@dataclass(frozen=True)
class Retention:
    """Which files to keep.

    Attributes:
        max_bytes: Size of all files together; 0 is no limit.
        max_days: Days since a file's first record; 0 is for ever.
    """

    max_bytes: int = 0
    max_days: float = 0.0

    def remove_files(self, prefixes: Collection[str], keep: Collection[str], room: int = 0) -> None:
        """Removes the files that are too old, then the oldest ones while all are too large.

        Nothing is removed but files by the request log's own names, and nothing from a bucket.

        Args:
            prefixes: Whose files count.
            keep: Paths that stay, because they are being written.
            room: Bytes to make way for.

        Raises:
            OSError: A folder cannot be read, or a file not be removed.
        """
        files = sorted(file for prefix in prefixes if is_local(prefix) for file in _list(prefix))
        total = sum(size for _, _, size in files) + room
        kept_from = datetime.now(timezone.utc) - timedelta(self.max_days)
        # Written like this, times are in the order of their texts.
        oldest = f"{kept_from:{_TIME}}" if self.max_days else ""
        for began, path, size in files:
            too_old = began < oldest
            if path not in keep and (too_old or (self.max_bytes and total > self.max_bytes)):
                Path(path).unlink(missing_ok=True)
                total -= size


KEEP_ALL: Final = Retention()


def _list(prefix: str) -> list[tuple[str, str, int]]:
    """Returns when each file of a prefix was begun, its path and its size in bytes."""
    folder, name = os.path.split(prefix)
    found = []
    for entry in os.scandir(folder or "."):
        end = _NAME_END.fullmatch(entry.name.removeprefix(name))
        if entry.name.startswith(name) and end is not None:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                found.append((end[1], os.path.join(folder, entry.name), status.st_size))
    return found
