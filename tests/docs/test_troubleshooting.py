"""docs/troubleshooting.md: each message that it quotes is one that the code can say."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
ROOMS = (
    "commands", "components", "kubeflow", "recipe", "runner", "serving", "storage", "tools",
    "trainer", "transform",
)  # fmt: skip
GAP = "…"
"""What stands for a value, in the page and in the texts of the code."""


def first_cells(header):
    """The words in backticks of the first column, of all tables with that header."""
    tables = re.findall(rf"^\| {header} \|.*\n\|-.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [cell for table in tables for row in table.splitlines()
            for cell in re.findall(r"`([^`]+)`", row.split(" | ")[0])]  # fmt: skip


def nodes():
    """All syntax nodes of the code."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    for path in (ROOT / "pipeline.py", *paths):
        yield from ast.walk(ast.parse(path.read_text()))


def texts():
    """All strings of the code, docstrings too; a value within is a gap, markup is left out."""
    for node in nodes():
        if isinstance(node, ast.JoinedStr):
            yield "".join(v.value if isinstance(v, ast.Constant) else GAP for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\[/?\w*\]", "", re.sub(r"\{\w+\}", GAP, node.value))


def says(text, message):
    """Whether what the message says around its gaps stands in the text, in that order."""
    pieces = [re.escape(piece.strip()) for piece in message.split(GAP) if piece.strip(" :;,.(")]
    return re.search(".*".join(pieces), text, re.DOTALL) is not None


@pytest.fixture(scope="module")
def said():
    return list(texts())


@pytest.mark.parametrize("message", first_cells("Message"))
def test_the_message_is_in_the_code(message, said):
    assert len(max(message.split(GAP), key=len)) >= 8
    assert any(says(text, message) for text in said)


def test_a_message_that_nobody_says_is_found_out(said):
    assert not any(says(text, "only one kind of class, …") for text in said)


def test_there_are_enough_of_them():
    assert len(first_cells("Message")) >= 25


def test_every_reason_of_the_quarantine_is_there():
    [reasons] = [n for n in nodes() if isinstance(n, ast.ClassDef) and n.name == "Reason"]
    values = [each.value for each in reasons.body if isinstance(each, ast.Assign)]
    codes = {next(n.value for n in ast.walk(v) if isinstance(n, ast.Constant)) for v in values}
    assert set(first_cells("Reason")) == codes
