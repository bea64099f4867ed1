"""What runs in a process that a test kills; it has to be importable there."""

import os
from collections.abc import Mapping
from pathlib import Path

from darkroom.storage.object_store import download_folder, upload_folder
from darkroom.storage.versions.place import open_place


def copy_down(environment: Mapping[str, str], uri: str, folder: Path) -> None:
    os.environ.update(environment)
    download_folder(uri, folder)


def copy_up(environment: Mapping[str, str], uri: str, folder: Path) -> None:
    os.environ.update(environment)
    upload_folder(folder, uri)


def push(environment: Mapping[str, str], uri: str, model: Path) -> None:
    os.environ.update(environment)
    open_place(uri).add(model, warm_up)


def warm_up(copy: Path) -> None:
    (copy / "assets.extra").mkdir()
    (copy / "assets.extra" / "requests").write_text("warm")
