"""docs/kubeflow.md: every command that can be read here is one that the programs take."""

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest
import yaml

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.pusher.config import PushConfig
from darkroom.kubeflow.beam import check_beam_arguments
from darkroom.recipe.kubeflow import KubeflowConfig

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "kubeflow.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
ELSEWHERE = ("kubectl", "docker", "aws", "export", "gcloud", ".venv/bin/pip", ".venv/bin/tfx")
"""Programs that need a cluster or an account."""


def commands():
    for language, block in BLOCKS:
        if language not in ("", "sh"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.partition("&&")[0], comments=True)
            if words:
                yield words


class Parsed(Exception):
    """The command line was taken."""


def test_every_command_is_of_a_kind_that_is_checked_here():
    for words in commands():
        assert words[0] in (*ELSEWHERE, "make", "python", ".venv/bin/python"), words


@pytest.mark.parametrize(
    "words", [w for w in commands() if "-m" in w[:2]], ids=lambda words: " ".join(words[2:5])
)
def test_programs_take_the_options(words, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parse_only(self, *args, **options):
        parse(self, *args, **options)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    assert words[1] == "-m"
    with pytest.raises(Parsed):
        importlib.import_module(words[2]).main(words[3:])


def test_make_knows_the_targets_and_variables():
    makefile = (ROOT / "Makefile").read_text()
    seen = 0
    for words in commands():
        if words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word]
            variables = [word.partition("=")[0] for word in words[1:] if "=" in word]
            assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in targets)
            assert all(re.search(rf"^{name} \?=", makefile, re.MULTILINE) for name in variables)
            assert targets
            seen += 1
    assert seen >= 5


def test_recipes_are_ones_that_are_taken():
    seen = set()
    for language, block in BLOCKS:
        if language != "yaml":
            continue
        content = yaml.safe_load(block)
        seen |= set(content)
        if "kubeflow" in content:
            assert KubeflowConfig.model_validate(content["kubeflow"])
        if "data" in content:
            assert DataConfig.model_validate(content["data"])
            assert PushConfig.model_validate(content["push"])
    assert seen == {"kubeflow", "data", "push"}


def test_beam_options_of_the_table_are_ones_that_are_taken():
    rows = re.findall(r"^\| [^|]*\| `(--runner=[^`]*)` \|", GUIDE, re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        arguments = row.replace("HOST", "flink").replace("IMAGE", "image").split()
        check_beam_arguments(arguments, "image", "gs://bucket/root")


def test_files_are_there():
    named = set(
        re.findall(r"(?:kubeflow|configs|serving|docs|tools)/[\w./-]+\.(?:yaml|sh|py|lock)", GUIDE)
    )
    assert named
    for name in named:
        assert (ROOT / name).is_file(), name
