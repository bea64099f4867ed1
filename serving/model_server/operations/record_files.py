"""TFRecord files that grow until they are full."""

import logging
import os
import posixpath
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Final

from serving.model_server.errors import Code, to_status_error

logger = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 128 << 20
MAX_FILE_RECORDS: Final = 1000
"""As many as TensorFlow Serving takes from a file of warm-up requests."""
MAX_OPEN_FILES: Final = 64
RETRY_SECONDS: Final = 10.0
"""How long nothing is written after a failure, as when the disk is full."""


class RecordFiles:
    """Appends records to TFRecord files, one at a time for each prefix; for one thread only.

    A file is named `PREFIX-TIME-PROCESS.tfrecord` with the UTC time of its first record, so that a
    server which starts anew overwrites nothing. A prefix may be a path that TensorFlow can write
    to, as `gs://…`; folders that do not exist are made.

    Args:
        max_file_bytes: Bytes after which a new file begins.
        max_file_records: Records after which a new file begins.
        clock: Returns seconds that never go back.
    """

    def __init__(
        self,
        max_file_bytes: int = MAX_FILE_BYTES,
        max_file_records: int = MAX_FILE_RECORDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_file_bytes = max_file_bytes
        self._max_file_records = max_file_records
        self._clock = clock
        self._open: dict[str, _RecordFile] = {}
        self._retry_at: dict[str, float] = {}

    def write(self, prefix: str, record: bytes) -> Code:
        """Appends a record to the file of a prefix.

        Args:
            prefix: Path with which the name of the file begins.
            record: Content of the record.

        Returns:
            OK, or why it was not written, which the server's log tells as well.
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

        Returns:
            Prefix to code, for those prefixes whose latest records are lost.
        """
        failures = {}
        for prefix, file in list(self._open.items()):
            try:
                file.flush()
            except Exception as error:
                failures[prefix] = self._fail(prefix, error)
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
            file = self._open[prefix] = _RecordFile(prefix)
        return file

    def _fail(self, prefix: str, error: Exception) -> Code:
        status = to_status_error(error)
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
            file.close()
        except Exception as error:
            logger.warning("cannot close %s: %s", file.path, error)


class _RecordFile:
    """One TFRecord file that is being written."""

    def __init__(self, prefix: str) -> None:
        # Not at the top of this file, because it imports TensorFlow.
        import tensorflow as tf

        self.path = (
            f"{prefix}-{datetime.now(timezone.utc):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}.tfrecord"
        )
        self.bytes = 0
        self.records = 0
        folder = posixpath.dirname(prefix)
        if folder:
            tf.io.gfile.makedirs(folder)
        self._writer: Any = tf.io.TFRecordWriter(self.path)

    def write(self, record: bytes) -> None:
        self._writer.write(record)
        self.bytes += len(record)
        self.records += 1

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
