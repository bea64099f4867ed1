"""Two runs side by side, on plain data."""

from dataclasses import replace

import pytest

from darkroom.components.example_images import ExampleImage
from darkroom.components.run_report.comparison import (
    Answers,
    Comparison,
    Side,
    compare_answers,
    render_comparison,
)
from darkroom.components.run_report.mistakes import Answer
from darkroom.records.evaluation import Evaluation, Slice
from darkroom.tests.images import encode, pixels

SUMMARY = {
    "status": "pushed",
    "pushed_version": 7,
    "components": [{"name": "Trainer", "seconds": 61.0, "cached": False}],
    "examples": {"train": 80, "eval": 100, "quarantined": 0},
    "recipe": {"trainer": {"seed": 1, "augmentation": {"zoom": 0.1}}, "data": {"path": "a"}},
}


def side(name, accuracy, **recipe):
    overall = {"accuracy": accuracy, "loss": 0.5, "example_count": 100.0}
    slices = tuple(
        Slice(f"label:{label}", {"accuracy": accuracy, "example_count": 50.0})
        for label in ("<cat>", "dog")
    )
    summary = {**SUMMARY, "recipe": {**SUMMARY["recipe"], **recipe}}
    return Side(name, summary, Evaluation(Slice("overall", overall), slices))


def predictor(*labels):
    answers = iter(labels)
    return lambda encoded: [Answer(next(answers), 0.9, True) for _ in encoded]


def image(number, label="cat"):
    return ExampleImage(encode(pixels(seed=number)), label, f"{label}/{number}.png")


def test_images_that_both_name_alike_are_not_shown():
    answers = compare_answers(
        [image(1), image(2), image(3, "dog"), image(4)],
        predictor("cat", "cat", "cat", "rat"),
        predictor("cat", "dog", "dog", "cow"),
    )
    assert (answers.images, answers.first_only, answers.second_only) == (4, 1, 1)
    assert [each.path for each in answers.shown] == ["cat/2.png", "dog/3.png", "cat/4.png"]
    assert answers.shown[0].picture.startswith("data:image/png")


@pytest.mark.parametrize(
    ("first", "second", "chance"),
    [(0, 0, 1.0), (3, 3, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375), (9, 1, 0.021484375)],
)
def test_the_chance_is_that_of_an_exact_test(first, second, chance):
    """As scipy.stats.binomtest(min, total) has it."""
    assert Answers(100, first, second, ()).chance == pytest.approx(chance)


def test_recipes_are_told_apart_by_field():
    first = side("m/1", 0.9)
    second = side("m/2", 0.9, trainer={"seed": 2, "augmentation": {"zoom": 0.1}}, runs_folder="r")
    assert Comparison(first, second).recipe == [("runs_folder", None, "r"), ("trainer.seed", 1, 2)]
    assert Comparison(first, first).recipe == []


def test_classes_that_differ_most_come_first():
    first, second = side("m/1", 0.8), side("m/2", 0.8)
    better = Slice("label:dog", {"accuracy": 0.7, "example_count": 50.0})
    evaluation = replace(second.evaluation, slices=(second.evaluation.slices[0], better))
    pair = Comparison(first, replace(second, evaluation=evaluation))
    assert [part.name for part in pair.classes] == ["label:dog", "label:<cat>"]
    page = render_comparison(pair)
    assert "56.2–80.9 %" in page and "−10.00 pp" in page


@pytest.mark.parametrize(
    ("status", "version"), [("pushed", 7), ("unchanged", 7), ("not_blessed", None)]
)
def test_a_version_that_is_another_model_is_not_named(status, version):
    assert Side("m/1", {**SUMMARY, "status": status}, None).version == version


def test_the_page_has_both_and_what_lies_between():
    answers = compare_answers([image(1)], predictor("cat"), predictor("dog"))
    page = render_comparison(Comparison(side("m/1", 0.8), side("m/2", 0.9), answers))
    for part in (
        "80.00 %",
        "90.00 %",
        "+10.00 pp",
        "71.1–86.7 %",
        "&lt;cat&gt;",
        "cat/1.png",
    ):
        assert part in page
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")


def test_what_is_missing_is_said():
    failed = Side("m/3", {**SUMMARY, "status": "failed", "pushed_version": None}, None)
    page = render_comparison(Comparison(side("m/1", 0.8), failed, None, "a model is gone"))
    assert "A model is gone." in page and "Both were asked for the same." in page
