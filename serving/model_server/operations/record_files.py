"""TFRecord files that grow until they are full, and how long they stay."""

import logging
import math
import os
import posixpath
import re
import stat
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from darkroom.serving.model_server.errors import Code, StatusError, to_status_error

logger = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 128 << 20
MAX_FILE_RECORDS: Final = 1000
"""As many as TensorFlow Serving takes from a file of warm-up requests."""
MAX_OPEN_FILES: Final = 64
RETRY_SECONDS: Final = 10.0
"""How long nothing is written after a failure, as when the disk is full."""
REMOVE_SECONDS: Final = 60.0
"""How often to look for files that are too old."""
DAY_SECONDS: Final = 86_400.0
_TIME: Final = "%Y%m%dT%H%M%S.%fZ"
_NAME_END: Final = re.compile(r"-(\d{8}T\d{6}\.\d{6}Z)-\d+\.tfrecord")


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
        files = sorted(file for prefix in prefixes if _is_local(prefix) for file in _list(prefix))
        total = sum(size for _, _, size in files) + room
        kept_from = datetime.now(timezone.utc) - timedelta(self.max_days)
        # Written like this, times are in the order of their texts.
        oldest = f"{kept_from:{_TIME}}" if self.max_days else ""
        for began, path, size in files:
            too_old = began < oldest
            if path not in keep and (too_old or (self.max_bytes and total > self.max_bytes)):
                Path(path).unlink(missing_ok=True)
                total -= size


class RecordFiles:
    """Appends records to TFRecord files, one at a time for each prefix; for one thread only.

    A file is named `PREFIX-TIME-PROCESS.tfrecord` with the UTC time of its first record, so that a
    server which starts anew overwrites nothing. A prefix may be a path that TensorFlow can write
    to, as `gs://…`; folders that do not exist are made. Nobody but the process's own user may read
    the files, and folders, that it makes on this machine.

    Args:
        max_file_bytes: Bytes after which a new file begins.
        max_file_records: Records after which a new file begins.
        clock: Returns seconds that never go back.
    """

    def __init__(
        self,
        retention: Retention,
        max_file_bytes: int = MAX_FILE_BYTES,
        max_file_records: int = MAX_FILE_RECORDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._retention = retention
        # At least two files fit into all, so that there is something to remove.
        half = retention.max_bytes // 2 or max_file_bytes
        self._max_file_bytes = min(max_file_bytes, half)
        self._max_file_records = max_file_records
        self._clock = clock
        self._open: dict[str, _RecordFile] = {}
        self._retry_at: dict[str, float] = {}
        self._prefixes: set[str] = set()
        self._removed_at = -math.inf

    def write(self, prefix: str, record: bytes) -> Code:
        """Appends a record to the file whose path begins with a prefix.

        Returns OK, or why it was not written, which the server's log tells as well.
        """
        if self._clock() < self._retry_at.get(prefix, 0.0):
            return Code.UNAVAILABLE
        try:
            self._find_file(prefix).write(record)
            return Code.OK
        except Exception as error:
            return self._fail(prefix, error)

    def flush(self) -> dict[str, Code]:
        """Hands all records to the operating system, which a killed server then cannot lose.

        Every minute, also removes files that are not to be kept any longer.

        Returns:
            Prefix to code, for those prefixes whose latest records are lost.
        """
        failures = {}
        for prefix, file in list(self._open.items()):
            try:
                file.writer.flush()
            except Exception as error:
                failures[prefix] = self._fail(prefix, error)
        if self._clock() >= self._removed_at + REMOVE_SECONDS:
            self._close_old()
            self._remove_files()
        return failures

    def close(self) -> None:
        """Closes all files."""
        for prefix in list(self._open):
            self._close(prefix)

    def _find_file(self, prefix: str) -> "_RecordFile":
        file = self._open.get(prefix)
        if file is not None and (
            file.bytes >= self._max_file_bytes or file.records >= self._max_file_records
        ):
            self._close(prefix)
            file = None
        if file is None:
            if len(self._open) >= MAX_OPEN_FILES:
                self._close(next(iter(self._open)))
            file = self._open[prefix] = _RecordFile(prefix, self._clock())
            self._prefixes.add(prefix)
            self._remove_files()
        return file

    def _close_old(self) -> None:
        # A file that stays open stays; and one that is removed takes its newest record with it.
        max_seconds = DAY_SECONDS * min(self._retention.max_days or 1.0, 1.0)
        for prefix, file in list(self._open.items()):
            if self._clock() >= file.opened_at + max_seconds:
                self._close(prefix)

    def _remove_files(self) -> None:
        self._removed_at = self._clock()
        keep = [file.path for file in self._open.values()]
        room = self._max_file_bytes * len(keep)
        try:
            self._retention.remove_files(self._prefixes, keep, room)
        except OSError as error:
            logger.warning("cannot remove old files of the request log: %s", error)

    def _fail(self, prefix: str, error: Exception) -> Code:
        if isinstance(error, OSError):
            status = StatusError(Code.UNAVAILABLE, str(error))
        else:
            status = to_status_error(error, f"writing {prefix}-*.tfrecord")
        logger.warning(
            "cannot write the request log %s-*.tfrecord: %s; trying again in %.0f s",
            prefix,
            " ".join(status.message.split()),
            RETRY_SECONDS,
        )
        self._retry_at[prefix] = self._clock() + RETRY_SECONDS
        self._close(prefix)
        return status.code

    def _close(self, prefix: str) -> None:
        file = self._open.pop(prefix, None)
        if file is None:
            return
        try:
            file.writer.close()
        except Exception as error:
            logger.warning("cannot close %s: %s", file.path, error)


class _RecordFile:
    """One TFRecord file that is being written."""

    def __init__(self, prefix: str, opened_at: float = 0.0) -> None:
        # Not at the top of this file, because it imports TensorFlow.
        import tensorflow as tf

        self.path = f"{prefix}-{datetime.now(timezone.utc):{_TIME}}-{os.getpid()}.tfrecord"
        self.opened_at = opened_at
        self.bytes = 0
        self.records = 0
        folder = posixpath.dirname(prefix)
        if _is_local(prefix):
            Path(folder).mkdir(0o700, parents=True, exist_ok=True)
            # Before TensorFlow opens it, so that nobody else can have opened it.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        elif folder:
            tf.io.gfile.makedirs(folder)
        self.writer: Any = tf.io.TFRecordWriter(self.path)

    def write(self, record: bytes) -> None:
        self.writer.write(record)
        self.bytes += len(record)
        self.records += 1


def _is_local(prefix: str) -> bool:
    """Returns whether a prefix is a path of this machine, and not `gs://…`."""
    return "://" not in prefix


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
