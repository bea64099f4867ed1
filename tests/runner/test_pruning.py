"""Which runs may go."""

import os

import pytest

from darkroom.runner.pruning import PIN_FILE, choose_runs
from darkroom.runner.runs import list_runs
from darkroom.tests.commands.test_runs import write_run

DAY = 24 * 3600


@pytest.fixture
def home(tmp_path):
    """Six runs, a day apart, the newest of today; the third pushed version 3."""
    for day in range(1, 7):
        write_run(tmp_path, "mine", f"2026010{day}-120000", pushed_version=day)
        os.utime(tmp_path / "mine" / f"2026010{day}-120000", (day * DAY, day * DAY))
    return tmp_path / "mine"


def choose(home, keep=None, since=None, served=None):
    return [int(run.place.run_id[7]) for run in choose_runs(list_runs(home), keep, since, served)]


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ({"keep": 0}, [5, 4, 3, 2, 1]),
        ({"keep": 2}, [4, 3, 2, 1]),
        ({"keep": 99}, []),
        ({"since": 4 * DAY}, [3, 2, 1]),
        ({"keep": 1, "since": 5 * DAY}, [4, 3, 2, 1]),
        ({"keep": 0, "served": 3}, [5, 4, 2, 1]),
    ],
)
def test_number_and_age_keep_and_what_is_served_stays(home, arguments, gone):
    assert choose(home, **arguments) == gone


def test_a_pinned_run_stays(home):
    (home / "20260102-120000" / PIN_FILE).touch()
    assert choose(home, keep=1) == [5, 4, 3, 1]
