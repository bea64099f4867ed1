"""The line of a terminal that says what is being done, on a terminal and on none."""

import io
import os
import pty
import re
import sys
import time

import pytest

from darkroom.records import progress
from darkroom.records.run import NodeResult
from darkroom.runner.terminal import Terminal


def show(terminal):
    terminal.say("run 1")
    terminal.working("Trainer")
    progress.begin("steps")
    progress.enter("epoch 1/2")
    progress.expect(40)
    progress.advance(10)
    print("a library", file=sys.stdout)
    print("a warning", file=sys.stderr)
    time.sleep(0.3)
    terminal.say("  epoch 1/2 took long")
    terminal.node_ended(NodeResult("Trainer", 1.2, "run"))
    terminal.idle()
    progress.end()


LINES = ["run 1", "  epoch 1/2 took long", "Trainer               1.2 s"]


def read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


@pytest.fixture
def terminal(monkeypatch):
    """Calls what is given with a terminal of 80 columns, and returns what that was sent."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(act, **options):
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "w") as stream:
            act(Terminal(stream, **options))
            os.set_blocking(ours, False)
            shown = b"".join(iter(lambda: read(ours), b"")).decode()
        os.close(ours)
        return shown

    return run


def test_a_terminal_shows_what_runs_and_how_far_it_is_and_takes_it_away(terminal):
    shown = terminal(show)
    assert re.search(r"Trainer.*0:00:00.*epoch 1/2  10/40 steps  \d+/s  0:00:0\d left", shown)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in plain.replace("\r\n", "\n").split("\n")]
    assert [line for line in lines if line and "0:00" not in line] == LINES


def test_what_libraries_write_meanwhile_goes_elsewhere(terminal, capsys):
    shown = terminal(show)
    assert "library" not in shown and "warning" not in shown
    said = capsys.readouterr()
    assert (said.out, said.err) == ("a library\n", "a warning\n")


def test_elsewhere_there_are_only_whole_lines():
    stream = io.StringIO()
    show(Terminal(stream))
    assert stream.getvalue().splitlines() == LINES


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_can_be_had_without(terminal, monkeypatch, no_color, coloured):
    monkeypatch.setenv("NO_COLOR", no_color)
    shown = terminal(lambda there: there.node_ended(NodeResult("Trainer", 1.2, "failed")))
    assert ("\x1b[31m" in shown) is coloured
    assert "failed" in shown


SUMMARY: dict[str, object] = {
    "examples": {"train": None},
    "metrics": None,
    "notes": [],
    "status": "failed",
    "error": "no room",
}


def test_asked_to_be_quiet_it_says_the_end_alone(terminal):
    def act(there):
        show(there)
        there.summary(SUMMARY, {})

    assert re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal(act, quiet=True)) == (
        "verdict   failed: no room\r\n"
    )
