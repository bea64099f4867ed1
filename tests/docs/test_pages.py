"""All documents: links lead somewhere, commands are ones that there are."""

import re
import shlex
from pathlib import Path

import pytest

from darkroom.commands.main import create_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TARGETS = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def commands(page):
    """Lines of fenced blocks, each as words; what follows a pipe or the like is left out."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    for block in (text for language, text in blocks if language in ("", "sh")):
        for line in block.replace("\\\n", " ").splitlines():
            yield re.split(r" [|&>]|;", line.partition(" # ")[0])[0].split(" ")


def named(page, program):
    """The words behind a program, wherever the page names it in a block."""
    for words in commands(page):
        if words[0] in (program, f".venv/bin/{program}"):
            yield shlex.split(" ".join(words[1:]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert "://" in link or (page.parent / link).is_file(), link


def test_every_document_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    assert [p.name for p in (ROOT / "docs").glob("*.md") if f"({p.name})" not in index] == [
        "index.md"
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_taken(page):
    for words in named(page, "darkroom"):
        assert create_parser().parse_args(words).command == words[0]
    for words in named(page, "make"):
        assert words[0] in TARGETS


def test_commands_are_found():
    assert sum(1 for page in PAGES for _ in named(page, "darkroom")) > 12
    assert sum(1 for page in PAGES for _ in named(page, "make")) > 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_programs_of_the_environment_are_named_with_their_path(page):
    for words in commands(page):
        is_wheel = words[0] == "pip" and words[2].startswith("darkroom-")
        assert is_wheel or words[0] not in ("tfx", "pip", "tensorboard", "python"), words
