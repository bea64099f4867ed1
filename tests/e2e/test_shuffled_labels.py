"""A model that learned nothing true must not get out."""

import random

import pytest

from darkroom import pipeline
from darkroom.runner.session import exit_code
from darkroom.tests.workspace import Workspace

pytestmark = pytest.mark.e2e


def test_shuffled_labels_are_not_blessed_and_nothing_is_pushed(tmp_path):
    workspace = Workspace(tmp_path)
    table = workspace.data / "labels.csv"
    header, *rows = table.read_text().splitlines()
    paths, labels, sources = zip(*(row.split(",") for row in rows), strict=True)
    shuffled = random.Random(1).sample(labels, len(labels))
    lines = [",".join(row) for row in zip(paths, shuffled, sources, strict=True)]
    table.write_text("\n".join([header, *lines]) + "\n")
    summary = pipeline.run(workspace.recipe(), "recipe.yaml")
    assert summary["status"] == "not_blessed"
    assert exit_code(summary["status"]) == 3
    assert summary["metrics"]["accuracy"] < 0.35
    assert workspace.versions() == []
    assert summary["pushed_version"] is None
