import errno
import os
import shutil

import pytest

from darkroom.runner.disk import Disk, DiskFullError, explain_full_disk
from darkroom.tests.small_disk import fill, small_disk

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def disk(name, folder, named=False):
    return Disk(name, folder, f"set {name}", named)


def wrapped(error):
    try:
        try:
            raise error
        except Exception as inner:
            raise RuntimeError("a library's words") from inner
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    "error",
    [
        NO_SPACE,
        wrapped(NO_SPACE),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError("Error when executing query: database or disk is full query: COMMIT;"),
        RuntimeError("OSError: [Errno 28] No space left on device [while running 'Write']"),
    ],
)
def test_whatever_says_so_is_a_full_disk(tmp_path, error):
    said = explain_full_disk(error, [disk("runs_folder", tmp_path / "absent" / "runs")])
    assert said.startswith(f"runs_folder: no space left in {str(tmp_path / 'absent' / 'runs')!r} (")
    assert said.endswith("; make room there, or set runs_folder")
    assert "\n" not in said


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "no"), ValueError("disk"), KeyError()])
def test_other_errors_are_none(tmp_path, error):
    assert explain_full_disk(error, [disk("runs_folder", tmp_path)]) == ""


def test_what_was_explained_before_the_cleaning_up_stays(tmp_path):
    error = wrapped(DiskFullError("as it was"))
    assert explain_full_disk(error, [disk("runs_folder", tmp_path)]) == "as it was"


def test_the_folder_that_the_error_names_is_meant_and_one_for_pushes_only_then(tmp_path):
    disks = [disk("runs", tmp_path / "runs"), disk("push", tmp_path / "served", named=True)]
    assert explain_full_disk(NO_SPACE, disks).startswith("runs:")
    named = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "served" / "7"))
    assert explain_full_disk(named, disks).startswith("push:")
    assert explain_full_disk(NO_SPACE, disks[1:]) == ""


def test_of_the_two_ends_of_a_copy_the_full_one_is_meant(tmp_path):
    (tmp_path / "source").write_bytes(bytes(100_000))
    with small_disk(tmp_path / "small", "64k") as small:
        fill(small)
        with pytest.raises(OSError) as raised:
            shutil.copyfile(tmp_path / "source", small / "copy")
        disks = [disk("source", tmp_path / "source"), disk("target", small)]
        said = explain_full_disk(wrapped(raised.value), disks)
    assert said.startswith("target:")
    assert "0.0 MB of 0.1 MB free" in said


def test_a_disk_with_room_and_no_more_files_says_that(tmp_path):
    with small_disk(tmp_path / "small", "1m,nr_inodes=3") as small:
        with pytest.raises(OSError) as raised:
            for number in range(9):
                (small / str(number)).touch()
        said = explain_full_disk(raised.value, [disk("runs", small), disk("other", tmp_path)])
    assert said.startswith("runs:")
    assert "no room for another file" in said
