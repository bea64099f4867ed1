"""Writing a folder of files as one step: complete, or not there at all."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path


class FolderError(Exception):
    """The folder cannot be replaced; the message is one line for the user."""


def write_folder(target: Path, files: Mapping[str, bytes], ours: Callable[[str], bool]) -> bool:
    """Makes `target` hold exactly `files`, leaving it untouched when it already does.

    The files are written to a folder beside `target`, which is then renamed, so that an
    interrupted run leaves the old state. Hidden files (.DS_Store, …) do not count.

    Args:
        target: The folder; its parents are made.
        files: Relative POSIX path to content.
        ours: Whether a relative path may be deleted when `target` is replaced.

    Returns:
        Whether anything was written.

    Raises:
        FolderError: `target` is a file, or holds a file that is not ours.
    """
    if target.exists() or target.is_symlink():
        _refuse_foreign(target, ours)
        if _holds(target, files):
            return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
        complete = Path(beside, "complete")
        _write(complete, files)
        if target.exists():
            target.rename(Path(beside, "replaced"))
        complete.rename(target)
    return True


def _visible_files(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    return [path.as_posix() for path in paths if not path.name.startswith(".")]


def _refuse_foreign(target: Path, ours: Callable[[str], bool]) -> None:
    if not target.is_dir():
        raise FolderError(f"--output: {target} is not a folder; choose another name")
    foreign = sorted(path for path in _visible_files(target) if not ours(path))
    if foreign:
        raise FolderError(
            f"--output: {target} holds {len(foreign)} files that are not part of the sample "
            f"(first: {foreign[0]}); choose another folder"
        )


def _holds(target: Path, files: Mapping[str, bytes]) -> bool:
    if set(_visible_files(target)) != set(files):
        return False
    return all((target / path).read_bytes() == content for path, content in files.items())


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for parent in {(folder / path).parent for path in files}:
        parent.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        (folder / path).write_bytes(content)
    shutil.copymode(folder.parent.parent, folder)
