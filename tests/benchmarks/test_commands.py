"""The commands' benchmark measures a command and sees what it imports."""

import pytest

from darkroom.benchmarks import commands


def test_a_command_is_timed_and_its_imports_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "_ROUNDS", 1)
    found = commands.measure("runs", tmp_path)
    assert found.cpu > 0 and found.wall > 0
    assert not found.imports_tensorflow


@pytest.mark.parametrize(("module", "seen"), [("tensorflow", True), ("tensorflow_metadata", False)])
def test_tensorflow_is_told_from_what_is_named_like_it(tmp_path, monkeypatch, module, seen):
    monkeypatch.setattr(commands, "_ROUNDS", 1)
    said = f"import time:   5 |   9 |   {module}\n"
    monkeypatch.setattr(commands, "_run", lambda command, folder: said)
    assert commands.measure("runs", tmp_path).imports_tensorflow is seen
