"""How far a node is, in words."""

import time

import pytest

from darkroom.records import progress
from darkroom.records.progress import Progress
from darkroom.runner import progress_line
from darkroom.runner.progress_line import describe, repeated


@pytest.mark.parametrize(
    ("count", "seconds", "words"),
    [
        (None, 0, ""),
        (Progress("images"), 0, "0 images"),
        (Progress("images", 0, 3000), 5, "0 images"),
        (Progress("images", 1000, 3000), 10, "1000/3000 images  100/s  0:00:20 left"),
        (Progress("images", 3001, 3000), 10, "3001 images  300/s"),
        (Progress("steps", 12, 0, "epoch 1/8"), 8, "epoch 1/8  12 steps  1.5/s"),
        (Progress("steps", 20, 7220), 10, "20/7220 steps  2.0/s  1:00:00 left"),
    ],
)
def test_what_is_done_of_all_how_fast_and_how_long_still(monkeypatch, count, seconds, words):
    monkeypatch.setattr(progress_line.time, "monotonic", lambda: seconds)
    assert describe(count) == words


def test_now_and_then_there_is_a_line_while_something_is_done(monkeypatch):
    monkeypatch.setattr(progress_line, "LINE_SECONDS", 0.01)
    lines = []
    progress.begin("images")
    with repeated(lines.append):
        progress.expect(10)
        progress.advance(4)
        time.sleep(0.2)
        assert len(lines) == 1, "nothing was done since"
        progress.advance()
        time.sleep(0.2)
        progress.end()
        time.sleep(0.05)
    assert [line.split("  ")[0] for line in lines] == ["4/10 images", "5/10 images"]
