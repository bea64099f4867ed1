"""Which of the versions found may be served."""

import itertools
import threading

import pytest

from darkroom.serving.model_server.models.versions import VersionPolicy, list_versions


@pytest.mark.parametrize(
    ("policy", "chosen", "limit"),
    [
        (VersionPolicy(), [9, 5, 1], 1),
        (VersionPolicy(2), [9, 5, 1], 2),
        (VersionPolicy(None), [9, 5, 1], None),
        (VersionPolicy(None, frozenset({1, 9, 7})), [9, 1], None),
        (VersionPolicy(None, frozenset()), [], None),
    ],
)
def test_policies_prefer_the_newest(policy, chosen, limit):
    assert policy.choose({5, 1, 9}) == chosen
    assert policy.limit == limit
    assert policy.choose(()) == []


def test_of_two_folders_with_one_number_the_last_by_name_counts(tmp_path):
    for name in ("007", "7"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pbtxt").touch()
    assert list_versions(tmp_path) == {7: tmp_path / "7"}
    assert list_versions(tmp_path, ["model.tflite"]) == {}
    assert list_versions(tmp_path / "nowhere") is None


def test_version_that_replaces_another_is_never_missed(tmp_path):
    for number in (1, 2):
        (tmp_path / f".{number}").mkdir()
        (tmp_path / f".{number}" / "saved_model.pb").touch()
    (tmp_path / ".1").rename(tmp_path / "1")
    stopping = threading.Event()

    def replace():
        for old, new in itertools.cycle([(1, 2), (2, 1)]):
            if stopping.wait(0.001):
                return
            (tmp_path / f".{new}").rename(tmp_path / str(new))
            (tmp_path / str(old)).rename(tmp_path / f".{old}")

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        seen = [list_versions(tmp_path) for _ in range(3000)]
    finally:
        stopping.set()
        thread.join()
    assert all(seen)
