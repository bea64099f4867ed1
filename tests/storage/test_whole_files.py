import os
import threading
from pathlib import Path

import pytest

from darkroom.storage.whole_files import place_folder, replace_text


def test_no_reader_sees_half_of_a_file(tmp_path):
    path = tmp_path / "file"
    texts = {"a" * 300_000, "b" * 300_000}
    replace_text(path, "a" * 300_000)
    seen, done = set(), threading.Event()

    def read():
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for text in texts:
            replace_text(path, text)
    done.set()
    reader.join()
    assert seen <= texts
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.mkdir()
    (path / "below").touch()
    with pytest.raises(OSError):
        replace_text(path, "text")
    assert [each.name for each in tmp_path.iterdir()] == ["file"], "nothing half is beside it"


def test_a_folder_is_on_the_disk_before_it_is_in_its_place(tmp_path, monkeypatch):
    partial, target = tmp_path / ".7.partial", tmp_path / "7"
    (partial / "variables").mkdir(parents=True)
    (partial / "variables/part").write_text("1")
    flushed = []
    flush = os.fsync

    def note(descriptor):
        flushed.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), target.exists()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    place_folder(partial, target)
    inside = {str(partial), str(partial / "variables"), str(partial / "variables/part")}
    assert set(flushed) == {(name, False) for name in inside} | {(str(tmp_path), True)}
    assert (target / "variables/part").read_text() == "1"
    assert not partial.exists()
