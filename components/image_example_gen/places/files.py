"""Reads a row's file: inside the data folder, regular, and of a bearable size."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from darkroom.transform.rejection import Reason, RejectedError

MAX_BYTES: Final = 256 * 2**20
"""Larger files are rejected: a worker holds several, and a record may not reach 2 GiB."""


def resolve_file(root: Path, image_path: str) -> Path:
    """The real path of an image.

    Args:
        root: Real path of the data folder.
        image_path: As in the row, relative to `root`.

    Raises:
        RejectedError: The path leaves the data folder, or cannot be a path.
    """
    if Path(image_path).is_absolute():
        raise RejectedError(Reason.PATH_OUTSIDE_DATA, "an absolute path")
    if os.path.normpath(image_path).startswith(os.pardir + os.sep):
        raise RejectedError(Reason.PATH_OUTSIDE_DATA, "leaves the data folder by '..'")
    try:
        real = (root / image_path).resolve()
    except ValueError as error:  # a NUL character
        raise RejectedError(Reason.MISSING_FILE, f"not a path: {error}") from None
    except RuntimeError:  # before Python 3.13
        raise RejectedError(Reason.UNREADABLE, "a loop of links") from None
    if not real.is_relative_to(root):
        raise RejectedError(Reason.PATH_OUTSIDE_DATA, "a link that leaves the data folder")
    return real


@contextmanager
def open_file(root: Path, image_path: str) -> Iterator[BinaryIO]:
    """Opens an image for reading.

    Raises:
        RejectedError: There is no such file, or it may not or cannot be read.
    """
    try:
        path = resolve_file(root, image_path)
        _check_regular(path, image_path)
        with path.open("rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise RejectedError(Reason.MISSING_FILE, "no such file") from None
    except OSError as error:
        raise RejectedError(Reason.UNREADABLE, error.strerror or type(error).__name__) from None


def read_image(root: Path, image_path: str, offset: int = 0, size: int | None = None) -> bytes:
    """The file's bytes, at least one.

    Args:
        root: Real path of the data folder.
        image_path: Relative to `root`.
        offset: Of the first byte.
        size: Number of bytes; None: all from there on.

    Raises:
        RejectedError: As `open_file`, or the file is empty or larger than MAX_BYTES.
    """
    with open_file(root, image_path) as file:
        if size is None:
            size = os.fstat(file.fileno()).st_size - offset
        if size > MAX_BYTES:
            raise RejectedError(Reason.TOO_LARGE, f"{size} bytes, the limit is {MAX_BYTES}")
        file.seek(offset)
        content = file.read(size)
    if not content:
        raise RejectedError(Reason.EMPTY_FILE, "0 bytes")
    return content


def _check_regular(path: Path, image_path: str) -> None:
    # Before opening: opening a pipe would wait for ever.
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        detail = "a folder" if image_path else "the path is empty"
        raise RejectedError(Reason.MISSING_FILE, detail)
    if not stat.S_ISREG(mode):
        raise RejectedError(Reason.UNREADABLE, "not a regular file")
