import subprocess

import pytest

from darkroom.runner.commit import find_commit
from darkroom.tests.programs import find_program


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(
        [find_program("git"), "-C", str(folder), *identity, *arguments],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


def test_a_folder_outside_of_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert find_commit(tmp_path) == ""


@pytest.mark.host
def test_the_commit_is_named_and_changes_are_said(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "recipe.yaml").write_text("name: a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    git(tmp_path, "tag", "-a", "v1", "-m", "a release")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert find_commit(tmp_path) == head
    (tmp_path / "note.txt").touch()
    assert find_commit(tmp_path) == head, "what Git does not know is no change"
    (tmp_path / "recipe.yaml").write_text("name: b")
    assert find_commit(tmp_path) == f"{head}-dirty"


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_commit(tmp_path) == ""
