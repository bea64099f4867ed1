"""TFRecord files that grow until they are full, and are removed when they are old."""

import stat
import time
from pathlib import Path

import pytest
import tensorflow as tf

from darkroom.serving.model_server.errors import Code
from darkroom.serving.model_server.operations import record_files
from darkroom.serving.model_server.operations.record_files import RecordFiles, Retention
from darkroom.tests.serving.operations.record_logs import open_full


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "logs" / "digits"


def write(files, prefix, *records):
    codes = [files.write(str(prefix), record) for record in records]
    files.flush()
    return codes


def count_records(prefix):
    files = sorted(prefix.parent.glob(f"{prefix.name}-*.tfrecord"))
    return [len(list(tf.data.TFRecordDataset(str(file)))) for file in files]


def test_new_file_begins_after_so_many_records(prefix):
    files = RecordFiles(Retention(), max_file_records=2)
    write(files, prefix, *[b"x"] * 5)
    files.close()
    assert count_records(prefix) == [2, 2, 1]


def test_new_file_begins_after_so_many_bytes(prefix):
    files = RecordFiles(Retention(), max_file_bytes=1000)
    write(files, prefix, b"x" * 400, b"x" * 600, b"x", b"x" * 5000, b"x")
    files.close()
    assert count_records(prefix) == [2, 2, 1]


def test_files_hold_no_more_than_a_warm_up_takes():
    from darkroom.serving.model_server.servables.warmup import MAX_RECORDS

    assert record_files.MAX_FILE_RECORDS == MAX_RECORDS


def test_restarted_server_overwrites_nothing(prefix):
    for _ in range(3):
        files = RecordFiles(Retention())
        write(files, prefix, b"x")
        files.close()
    assert count_records(prefix) == [1, 1, 1]


def test_failure_is_reported_once_and_tried_again_later(tmp_path, caplog):
    now = [0.0]
    files = RecordFiles(Retention(), clock=lambda: now[0])
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is needed")
    first, *others = write(files, blocked / "digits", b"1", b"2", b"3")
    assert first is not Code.OK
    assert others == [Code.UNAVAILABLE] * 2
    assert write(files, tmp_path / "other", b"1") == [Code.OK]
    (message,) = [record.message for record in caplog.records]
    assert "\n" not in message and f"{blocked}/digits-*.tfrecord" in message
    blocked.unlink()
    now[0] = record_files.RETRY_SECONDS
    assert write(files, blocked / "digits", b"4") == [Code.OK]
    files.close()
    assert count_records(blocked / "digits") == [1]


def test_open_files_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(record_files, "MAX_OPEN_FILES", 3)
    files = RecordFiles(Retention())
    for name in "abcdefa":
        write(files, tmp_path / name, b"x")
    assert len(files._open) == 3
    files.close()
    assert count_records(tmp_path / "a") == [1, 1]


def test_full_disk_is_reported(prefix, caplog):
    files = RecordFiles(Retention())
    open_full(files, prefix)
    assert write(files, prefix, b"x" * 100_000) == [Code.RESOURCE_EXHAUSTED]
    assert "No space left" in caplog.text


def test_file_that_cannot_be_closed_is_reported(prefix, caplog):
    files = RecordFiles(Retention())
    open_full(files, prefix)
    files.write(str(prefix), b"x")
    files.close()
    assert "cannot close" in caplog.text


def test_nobody_else_may_read_what_is_logged(prefix):
    files = RecordFiles(Retention())
    write(files, prefix, b"x")
    (file,) = prefix.parent.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(prefix.parent.stat().st_mode) == 0o700
    files.close()


def test_oldest_files_are_removed_while_all_are_too_large(prefix):
    # A record takes 16 bytes more on the disk.
    files = RecordFiles(Retention(max_bytes=10_000), max_file_records=2)
    numbers = [bytes([number]) * 984 for number in range(16)]
    write(files, prefix, *numbers)
    assert sum(file.stat().st_size for file in prefix.parent.iterdir()) <= 10_000
    files.close()
    kept = [r.numpy() for f in sorted(prefix.parent.iterdir()) for r in
            tf.data.TFRecordDataset(str(f))]  # fmt: skip
    assert len(kept) >= 4 and kept == numbers[-len(kept) :]


def test_old_files_are_removed_and_nothing_but_the_logs_own(prefix):
    prefix.parent.mkdir()
    old = "20200101T000000.000000Z-7.tfrecord"
    others = {
        f"digits-v2-{old}", f"other-{old}", f"digits-{old}.gz", "digits-notes.tfrecord",
    }  # fmt: skip
    for name in (*others, f"digits-{old}"):
        (prefix.parent / name).touch()
    files = RecordFiles(Retention(max_bytes=1, max_days=30))
    write(files, prefix, b"x")
    written = files._open[str(prefix)].path
    assert {f.name for f in prefix.parent.iterdir()} == {*others, Path(written).name}
    files.close()


def test_files_become_too_old_while_nothing_is_logged(prefix):
    now = [0.0]
    files = RecordFiles(Retention(max_days=1e-6), clock=lambda: now[0])
    write(files, prefix, b"x")
    assert len(list(prefix.parent.iterdir())) == 1
    time.sleep(0.1)
    now[0] = record_files.REMOVE_SECONDS
    files.flush()
    assert list(prefix.parent.iterdir()) == []
