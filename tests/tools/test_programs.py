"""A program that is missing fails a test in CI only."""

import pytest

from darkroom.tests.programs import find_program


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


def test_missing_program_fails_the_test_in_ci(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="java is missing: apt-get install jdk"):
        find_program("java", "jdk")


@pytest.mark.parametrize("value", ["", "false"])
def test_missing_program_skips_the_test_elsewhere(monkeypatch, value):
    monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.skip.Exception, match="make is missing: apt-get install make"):
        find_program("make")


def test_program_that_is_there_is_found(tmp_path):
    program = tmp_path / "make"
    program.touch(mode=0o755)
    assert find_program("make") == str(program)
