"""A content hash of a data set: the part of ImageExampleGen's cache key that sees changed files."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final

from components.image_example_gen.config import DataConfig
from components.image_example_gen.files import open_image
from components.image_example_gen.rejection import RowRejectedError
from components.image_example_gen.rows import list_rows, read_csv_bytes

_VERSION: Final = b"darkroom-data-1\n"
"""Raise it when ImageExampleGen makes other examples of the same data: caches then miss."""

_THREADS: Final = 8
_BATCH: Final = 64
_CHUNK: Final = 2**20


def fingerprint(config: DataConfig) -> str:
    """Hash of the CSV, of the images' paths and of every image's bytes.

    Times of files, and where the data folder lies, are no part of it. A file that is missing or
    cannot be read counts as such, so the hash changes when it appears.

    Returns:
        SHA-256, 64 hexadecimal digits.

    Raises:
        DataLocationError: The data cannot be listed.
    """
    root = config.path.resolve()
    total = hashlib.sha256(_VERSION)
    if config.format == "csv":
        total.update(hashlib.sha256(read_csv_bytes(config)).digest())
    paths = sorted({row.image_path for row in list_rows(config)})
    with ThreadPoolExecutor(_THREADS) as pool:
        for entries in pool.map(lambda batch: _hash_files(root, batch), _batches(paths)):
            total.update(entries)
    return total.hexdigest()


def _batches(paths: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(paths)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _hash_files(root: Path, paths: Sequence[str]) -> bytes:
    return b"".join(
        b"%s\0%s\n" % (os.fsencode(path), _hash_file(root, path).encode()) for path in paths
    )


def _hash_file(root: Path, path: str) -> str:
    digest = hashlib.sha256()
    try:
        with open_image(root, path) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except RowRejectedError as rejection:
        return rejection.reason.value
    return digest.hexdigest()
