"""Fingerprints that make TFX's cache see what it would miss: source code and model folders."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

WARMUP_FOLDER = "assets.extra"
"""Where TensorFlow Serving looks for warm-up requests: beside the model, not part of it."""
_CHUNK = 1 << 20


def source_fingerprint(*places: str) -> str:
    """Digest of the Python files below the rooms, folders or files named.

    Args:
        places: Paths relative to the folder that holds the rooms, such as `trainer` or
            `serving/signatures.py`.

    Returns:
        64 hexadecimal digits.

    Raises:
        FileNotFoundError: A place does not exist.
    """
    root = Path(__file__).resolve().parent.parent
    found: list[Path] = []
    for place in places:
        path = root / place
        if not path.exists():
            raise FileNotFoundError(f"no source at {place!r} below {root}")
        found += path.rglob("*.py") if path.is_dir() else [path]
    return _digest_files(root, found)


def model_digest(folder: Path) -> str:
    """Digest of a SavedModel's content; warm-up requests and modification times do not count.

    Args:
        folder: The SavedModel.

    Returns:
        64 hexadecimal digits.
    """
    files = list_files(folder).items()
    return _digest_files(folder, [p for name, p in files if name.split("/")[0] != WARMUP_FOLDER])


def list_files(folder: Path) -> dict[str, Path]:
    """All files below a folder, by their name relative to it; links are followed."""
    parents = os.walk(folder, followlinks=True)
    paths = (Path(parent, name) for parent, _, names in parents for name in names)
    found = sorted(path for path in paths if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def _digest_files(root: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(_digest_file(path))
    return digest.hexdigest()


def _digest_file(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
