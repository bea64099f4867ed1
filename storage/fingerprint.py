"""Digests of files and folders, by content and name: times and places are no part of them."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

WARMUP_FOLDER = "assets.extra"
"""Where TensorFlow Serving looks for warm-up requests: beside the model, not part of it."""
_CHUNK = 1 << 20


def model_digest(folder: Path) -> str:
    """Digest of a SavedModel, 64 digits; warm-up requests and modification times do not count."""
    files = list_files(folder).items()
    return digest_files(folder, [p for name, p in files if name.split("/")[0] != WARMUP_FOLDER])


def list_files(folder: Path) -> dict[str, Path]:
    """All files below a folder, by their name relative to it; links are followed."""
    parents = os.walk(folder, followlinks=True)
    paths = (Path(parent, name) for parent, _, names in parents for name in names)
    found = sorted(path for path in paths if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def digest_files(root: Path, paths: Iterable[Path]) -> str:
    """Digest of files, each by its content and by its name relative to `root`; 64 digits."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(digest_file(path))
    return digest.hexdigest()


def digest_file(path: Path) -> bytes:
    """SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
