"""The model card, as parts and as Markdown."""

from dataclasses import replace

import pytest

from darkroom.components.run_report.executor import finish
from darkroom.components.run_report.model_card import make_card
from darkroom.components.run_report.render import render, render_card
from darkroom.records.evaluation import ConfusionMatrix, Slice
from darkroom.tests.components.run_report.pages import BARE, WHOLE, Page


def part_of(data, title):
    (found,) = [part for part in make_card(data) if part.title == title]
    return found


def test_what_is_known_is_in_the_card():
    text = render_card(WHOLE)
    for line in (
        "# Model card: digits",
        "- The model was pushed as version 1763634821.",
        "| backbone | resnet50 |",
        "| image size | 64 × 64 pixels |",
        "- 6 of 1,803 rows (0.33 %) could not be used and are in no split.",
        "| class | train | eval |",
        "| 0 | 160 | 40 |",
        "| accuracy | 98.06 % | 96.0–99.1 % |",
        "| began with | ImageNet-1k, https://somewhere |",
        "| licence | MIT |",
    ):
        assert line in text.splitlines(), line
    assert "\n\n\n" not in text


def test_the_page_has_the_same_parts():
    text = Page(render(WHOLE)).text
    assert all(part.title in text for part in WHOLE.card)
    assert all(sentence in text for part in WHOLE.card for sentence in part.sentences)


def test_limits_are_those_of_the_run():
    few = Slice("label:7", {"accuracy": 0.5, "example_count": 3.0})
    evaluation = replace(
        WHOLE.evaluation, slices=(few,), learned_nothing="the model learned nothing"
    )
    limits = " ".join(part_of(replace(WHOLE, evaluation=evaluation), "Limits").sentences)
    assert "fewer than 20 images say little: 7 (3)." in limits
    assert "The model learned nothing." in limits
    assert "decided which epoch's weights were kept" in limits
    assert "fewer than" not in " ".join(part_of(WHOLE, "Limits").sentences)


def test_a_split_that_nothing_looked_at_is_no_limit():
    classes = tuple(replace(each, counts={**each.counts, "test": 5}) for each in WHOLE.data.classes)
    tested = replace(WHOLE, data=replace(WHOLE.data, classes=classes))
    assert "decided which epoch" not in " ".join(part_of(tested, "Limits").sentences)
    assert part_of(tested, "Data").heads == ("class", "train", "eval", "test")


def test_names_cannot_break_the_table():
    name = "a|b\n# *c*"
    matrix = ConfusionMatrix((name, "d"), ((1, 0), (0, 1)))
    evaluation = replace(
        WHOLE.evaluation,
        confusion=matrix,
        slices=(Slice(f"label:{name}", {"accuracy": 0.5, "example_count": 30.0}),),
    )
    text = render_card(finish(replace(WHOLE, evaluation=evaluation)))
    assert "| label a\\|b \\# \\*c\\* | 30 | 50.00 % | 33.2–66.8 % |" in text.splitlines()


@pytest.mark.parametrize(
    "data", [BARE, replace(WHOLE, verdict=replace(WHOLE.verdict, state="failed"))]
)
def test_without_a_judged_model_there_is_no_card(data):
    assert make_card(data) == ()
