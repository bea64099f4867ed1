"""The script that copies models out of a bucket, with rclone itself on a folder for a bucket."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from darkroom.tests.serving.deploy.rendering import KUBERNETES, find_tool

SCRIPT = KUBERNETES / "components" / "bucket" / "fetch_versions.sh"


class Sync:
    """One bucket, one target folder, and the script between them."""

    def __init__(self, folder):
        self.bucket = folder / "bucket"
        self.target = folder / "models"
        self.bucket.mkdir()
        self.target.mkdir()
        self.path = [str(Path(find_tool("rclone")[0]).parent)]

    def upload(self, name, complete=True):
        version = self.bucket / name
        (version / "variables").mkdir(parents=True)
        (version / "variables" / "variables.index").write_text(name)
        if complete:
            (version / "saved_model.pb").write_text(name)

    @property
    def environment(self):
        return {
            "PATH": os.pathsep.join([*self.path, os.environ["PATH"]]),
            "SOURCE": str(self.bucket),
            "TARGET": str(self.target),
            "RCLONE_CONFIG": "",
            "INTERVAL": "1",
        }

    def run(self, **environment):
        return subprocess.run(
            ["sh", str(SCRIPT), "once"],
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment | environment,
        )

    @property
    def versions(self):
        return sorted(str(path.relative_to(self.target)) for path in self.target.glob("*/[!.]*"))


@pytest.fixture
def sync(tmp_path):
    return Sync(tmp_path)


def replace_rclone(sync, folder, script):
    """Puts a program before rclone that stands for a bucket in trouble."""
    program = folder / "bin" / "rclone"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nreal={find_tool('rclone')[0]}\n{script}\n")
    program.chmod(0o755)
    sync.path.insert(0, str(program.parent))


def test_newest_versions_of_each_model_are_fetched_whole(sync):
    for name in ("digits/9", "digits/10", "digits/8", "faces/1"):
        sync.upload(name)
    done = sync.run()
    assert (done.returncode, done.stderr.count("ERROR")) == (0, 0)
    assert sync.versions == ["digits/10", "digits/9", "faces/1"]
    copied = sync.target / "digits" / "10"
    assert (copied / "variables" / "variables.index").read_text() == "digits/10"
    assert done.stdout.splitlines() == ["fetched digits/10", "fetched digits/9", "fetched faces/1"]


def test_version_that_is_still_being_uploaded_waits_for_its_saved_model(sync):
    sync.upload("digits/1")
    sync.upload("digits/2", complete=False)
    sync.run()
    assert sync.versions == ["digits/1"]
    (sync.bucket / "digits" / "2" / "saved_model.pb").write_text("now")
    sync.run()
    assert sync.versions == ["digits/1", "digits/2"]


def test_older_versions_go_once_newer_ones_are_there(sync):
    sync.upload("digits/1")
    sync.run(KEEP="1")
    sync.upload("digits/2")
    assert sync.run(KEEP="1").stdout.splitlines() == ["fetched digits/2", "removed digits/1"]
    assert sync.versions == ["digits/2"]


def test_version_removed_from_the_bucket_goes_and_the_one_before_comes_back(sync):
    for name in ("digits/1", "digits/2", "digits/3"):
        sync.upload(name)
    sync.run()
    shutil.rmtree(sync.bucket / "digits" / "3")
    sync.run()
    assert sync.versions == ["digits/1", "digits/2"]


def test_model_that_vanished_from_the_bucket_is_kept(sync):
    sync.upload("digits/1")
    sync.upload("faces/1")
    sync.run()
    shutil.rmtree(sync.bucket / "digits")
    assert sync.run().returncode == 0
    assert sync.versions == ["digits/1", "faces/1"]


def test_nothing_is_removed_when_the_bucket_cannot_be_listed(sync, tmp_path):
    sync.upload("digits/1")
    sync.run()
    replace_rclone(sync, tmp_path, "echo denied >&2; exit 3")
    done = sync.run()
    assert done.returncode != 0
    assert "denied" in done.stderr
    assert sync.versions == ["digits/1"]


def test_copy_that_breaks_off_is_not_served_and_is_done_again(sync, tmp_path):
    sync.upload("digits/1")
    replace_rclone(
        sync, tmp_path, 'if [ "$1" = copy ]; then "$real" "$@"; exit 1; fi; exec "$real" "$@"'
    )
    assert sync.run().returncode != 0
    assert sync.versions == []
    sync.path.pop(0)
    assert sync.run().returncode == 0
    assert sync.versions == ["digits/1"]
    assert not list(sync.target.glob("*/.*"))


def test_folders_that_are_no_versions_are_left_alone(sync):
    sync.upload("digits/1")
    sync.upload("digits/latest")
    sync.upload("digits/0x1")
    (sync.target / "digits" / "notes").mkdir(parents=True)
    sync.run()
    assert sync.versions == ["digits/1", "digits/notes"]


def test_missing_source_is_one_line(sync):
    done = sync.run(SOURCE="")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "bucket:name/models" in done.stderr


def test_following_picks_up_new_versions_and_ends_on_sigterm(sync):
    sync.upload("digits/1")
    with subprocess.Popen(
        ["sh", str(SCRIPT), "follow"],
        stdout=subprocess.PIPE,
        text=True,
        env=sync.environment,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout.readline() == "fetched digits/1\n"
            sync.upload("digits/2")
            assert process.stdout.readline() == "fetched digits/2\n"
            stopped = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
            assert time.monotonic() - stopped < 5
        finally:
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
