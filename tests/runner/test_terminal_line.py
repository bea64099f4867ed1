"""The line of a terminal that says what is being done, on a terminal and on none."""

import io
import os
import pty
import re
import time

from darkroom.records.run import NodeResult
from darkroom.runner.terminal import Terminal


def show(terminal):
    terminal.say("run 1")
    terminal.working("Trainer")
    time.sleep(0.3)
    terminal.say("  epoch 1/2")
    terminal.node_ended(NodeResult("Trainer", 1.2, "run"))
    terminal.idle()


def read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


def test_a_terminal_shows_what_runs_and_takes_it_away(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        show(Terminal(stream))
        os.set_blocking(ours, False)
        shown = b"".join(iter(lambda: read(ours), b"")).decode()
    os.close(ours)
    assert re.search(r"Trainer.*0:00:00", shown)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in plain.replace("\r\n", "\n").split("\n")]
    assert [line for line in lines if line and "0:00" not in line] == [
        "run 1",
        "  epoch 1/2",
        "Trainer               1.2 s",
    ]


def test_elsewhere_there_are_only_whole_lines():
    stream = io.StringIO()
    show(Terminal(stream))
    assert stream.getvalue() == "run 1\n  epoch 1/2\nTrainer               1.2 s\n"
