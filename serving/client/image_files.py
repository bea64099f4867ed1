"""The images that a command line names: files, folders, and standard input."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from darkroom.transform.conversion import convert
from darkroom.transform.rejection import Reason, RejectedError

SUFFIXES: Final = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif",
    ".tiff", ".webp",
)  # fmt: skip
"""Names of the files that a folder stands for end so; a file that is named itself need not."""
STDIN: Final = "-"


class UnreadableError(Exception):
    """A file that cannot be read, in one line without its name."""


class ImageFile(NamedTuple):
    """One image to ask about.

    Attributes:
        name: What the user knows it by.
        read: Returns its bytes, converted where the server could not decode them, or raises
            UnreadableError.
    """

    name: str
    read: Callable[[], bytes]


def find_images(names: Sequence[str], report: Callable[[str], None]) -> list[ImageFile]:
    """Returns the images that names stand for, in their order; reads none of the files yet.

    Args:
        names: Files, folders (which stand for their image files, sorted), and `-`, which is read
            at once.
        report: Takes one line about each folder.

    Raises:
        ValueError: `-` more than once.
    """
    if names.count(STDIN) > 1:
        raise ValueError(f"{STDIN} is given twice; standard input is one image")
    images: list[ImageFile] = []
    for name in names:
        if name == STDIN:
            # Here, because a thread that waits for standard input cannot be interrupted.
            images.append(_hold(name, sys.stdin.buffer.read()))
        elif Path(name).is_dir():
            images += _list_folder(Path(name), report)
        else:
            images.append(_refer(Path(name)))
    return images


def _hold(name: str, content: bytes) -> ImageFile:
    return ImageFile(name, lambda: _convert(content))


def _refer(path: Path) -> ImageFile:
    def read() -> bytes:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}") from None
        return _convert(content)

    return ImageFile(str(path), read)


def _convert(content: bytes) -> bytes:
    try:
        return convert(content)
    except RejectedError as rejection:
        if rejection.reason is Reason.UNSUPPORTED_FORMAT:
            raise UnreadableError(f"{rejection.reason.words}: {rejection.detail}") from None
        # What is no image, the server knows best: it is its model that decodes.
        return content


def _list_folder(folder: Path, report: Callable[[str], None]) -> list[ImageFile]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        return [_fail(folder, f"cannot be read: {error.strerror}")]
    paths = [path for path in entries if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not paths:
        suffixes = ", ".join(SUFFIXES)
        return [
            _fail(folder, f"has no image files ({suffixes}); folders in it are not looked into")
        ]
    report(f"{folder}: {len(paths)} images")
    return [_refer(path) for path in paths]


def _fail(path: Path, reason: str) -> ImageFile:
    def read() -> bytes:
        raise UnreadableError(reason)

    return ImageFile(str(path), read)
