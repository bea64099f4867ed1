import pytest

from darkroom.storage.errors import first_line


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (ValueError("\n no such file\nat line 7"), "no such file"),
        (ValueError(), "ValueError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        ("OSError: gone\nfor ever", "OSError: gone"),
    ],
)
def test_first_line_of_what_is_said(said, line):
    assert first_line(said) == line
