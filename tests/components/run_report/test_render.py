from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.components.run_report.data import (
    Anomaly,
    ClassCount,
    Data,
    Mistake,
    Mistakes,
    NodeRow,
    Quarantine,
    RejectedRow,
    ReportData,
    Request,
    Verdict,
)
from darkroom.components.run_report.executor import finish
from darkroom.components.run_report.render import MOST_SLICES, render
from darkroom.records.evaluation import ConfusionMatrix, Evaluation, Slice
from darkroom.records.training import Phase, TrainingRecord
from darkroom.tests.components.run_report.pages import (
    BARE,
    WHOLE,
    Page,
    evaluation_of,
    history_of,
    many_classes,
    mistakes_of,
)

SECTIONS = {"Metrics", "Learning curves", "Confusion matrix", "Worst mistakes", "Data", "Recipe"}


@pytest.fixture(scope="module")
def whole() -> Page:
    return Page(render(WHOLE))


def everywhere(text: str) -> ReportData:
    """A page with one text wherever a text comes from outside."""
    evaluation = Evaluation(
        overall=Slice("overall", {text: 1.0}, {text: 0.5}),
        slices=(Slice(f"label:{text}", {text: 1.0}),),
        confusion=ConfusionMatrix((text, "b"), ((1, 1), (0, 1))),
        baseline_state=text,
    )
    data = ReportData(
        request=Request(text, {"a": text}, text, text, text, (text,), text, text),
        verdict=Verdict("not_blessed", 1, text, (text,)),
        data=Data(
            classes=(ClassCount(text, {text: 1}),),
            quarantine=Quarantine(
                2, 1, ((text, 1),), (RejectedRow(0, text, text, text, text),), ((text, 1),)
            ),
            anomalies=(Anomaly(text, text, text, text),),
        ),
        evaluation=evaluation,
        history=replace(
            history_of(1, 1),
            epochs=tuple(replace(e, phase=cast(Phase, text)) for e in history_of(1, 1).epochs),
        ),
        mistakes=Mistakes(1, 1, 0, (Mistake(text, text, text, 0.5),)),
        problems=(text,),
        nodes=(NodeRow(text, text, 1.0),),
        run_id=text,
    )
    return finish(data)


@pytest.mark.parametrize("data", [WHOLE, BARE, many_classes()], ids=["whole", "bare", "many"])
def test_a_page_stands_alone(data):
    html = render(data)
    page = Page(html)
    before = "../20261119-080000/report.html"
    assert all(a.startswith("data:") or a == before for a in page.addresses)
    assert not {"script", "iframe", "object", "form"} & set(page.tags)
    assert "url(" not in html and "@import" not in html
    assert len(html.encode()) < 2_000_000


def test_a_page_has_every_section(whole):
    headings = {heading for heading in SECTIONS if heading in whole.text}
    assert headings == SECTIONS
    assert whole.tags.count("svg") == 2
    assert whole.tags.count("img") == 7


@pytest.mark.parametrize(
    "words",
    [
        "Pushed",
        "models/digits/1763634821",
        "98.06 %",
        "+0.84 pp",
        "1,437",
        "not an image, or a broken one",
        "1,803 rows in: 1,797 became examples",
        "Out-of-range values",
        "images/digit_0003.png",
        "seed: 7",
        "fine-tune",
        "96.0–99.1 %",
        "name: digits # as I wrote it",
        "A processor, 2 cores, 8 GiB of memory, A GPU",
        "TFX 1.16, Python 3.10",
        "trainer.seed 7, data.split_salt again",
        "0123456789abcdef0123456789abcdef01234567",
        "f" * 64,
        "darkroom run 'my digits.yaml' --set trainer.seed=7",
        "darkroom compare digits/20261119-080000 digits/20261120-103341",
        "darkroom serve digits",
        "10 classes",
        "Trainer run 61.2 s",
        "began with ImageNet-1k, https://somewhere licence MIT",
    ],
)
def test_a_page_says(whole, words):
    assert words in " ".join(whole.text.split())


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", '"><img src=http://x onerror=y>', "'--></style>", "{{ 7 }}"],
)
def test_hostile_text_stays_text(text):
    page, calm = Page(render(everywhere(text))), Page(render(everywhere("calm")))
    assert page.tags == calm.tags
    assert text in page.text


@given(st.text(max_size=30))
def test_any_text_renders(text):
    assert sorted(Page(render(everywhere(text))).tags).count("section") == 8


def test_missing_sections_say_so():
    text = Page(render(BARE)).text
    assert text.count("This run has no") == 5
    assert "No verdict" in text


@pytest.mark.parametrize("section", ["evaluation", "history", "mistakes"])
def test_each_section_may_be_missing_alone(section):
    assert Page(render(replace(WHOLE, **{section: None}))).text.count("This run has no") >= 1


def test_without_a_baseline_there_are_no_differences():
    alone = Evaluation(
        overall=Slice("overall", {"accuracy": 0.9, "loss": None}),
        slices=(Slice("label:a", {"accuracy": 0.9, "example_count": 3}),),
    )
    text = Page(render(replace(WHOLE, evaluation=alone))).text
    assert "No version had been pushed before" in text
    assert "vs pushed before" not in text and "Difference" not in text


def test_a_refusal_gives_its_reasons():
    refused = Verdict("not_blessed", 3, "models/digits/3", ("accuracy is 0.1; wanted ≥ 0.9",))
    text = Page(render(finish(replace(WHOLE, verdict=refused)))).text
    assert "Not blessed" in text
    assert "Version 3, pushed before, was left as it is" in text
    assert "accuracy is 0.1; wanted ≥ 0.9" in text


@pytest.mark.parametrize("state", ["not_blessed", "withdrawn", "failed", "unknown"])
def test_nothing_claims_to_be_served_that_was_not_pushed(state):
    verdict = Verdict(state, 3, "models/digits/3", ("for a reason",))
    page = render(finish(replace(WHOLE, verdict=verdict)))
    assert "darkroom serve" not in page and "darkroom predict" not in page
    assert "models/digits/3" not in page and " served" not in page
    assert "darkroom run" in page


def test_no_mistakes_is_said():
    text = Page(render(replace(WHOLE, mistakes=Mistakes(looked_at=360, wrong=0)))).text
    assert "made no mistake" in text


def test_a_part_of_the_eval_split_is_called_a_part():
    text = Page(render(replace(WHOLE, mistakes=replace(mistakes_of(), looked_at=100)))).text
    assert "the first of 360 that it is judged by" in " ".join(text.split())


def test_problems_are_shown():
    data = replace(WHOLE, history=None, problems=("No learning curves: OSError: gone",))
    assert "No learning curves: OSError: gone" in Page(render(data)).text


def test_a_history_without_values_is_no_chart():
    page = Page(render(replace(WHOLE, history=TrainingRecord(()))))
    assert "svg" not in page.tags


def test_thousands_of_slices_are_cut_to_the_weakest():
    classes = tuple(f"c{index}" for index in range(MOST_SLICES + 30))
    evaluation = replace(evaluation_of(classes), confusion=None)
    text = " ".join(Page(render(replace(WHOLE, evaluation=evaluation))).text.split())
    assert "30 more are not shown" in text
    assert "95.00 %" in text
    assert "99.50 %" not in text.partition("Learning curves")[0]


def slices_with_auc(*values: float | None) -> ReportData:
    """Classes with these AUCs, in a split that has one as a whole."""
    parts = [
        Slice(f"label:{index}", {"accuracy": 0.5, "example_count": 1, "auc": value})
        for index, value in enumerate(values)
    ]
    overall = Slice("overall", {"accuracy": 0.5, "example_count": 2, "auc": 0.75})
    return replace(BARE, evaluation=Evaluation(overall, tuple(parts)))


def slice_table(data: ReportData) -> str:
    return render(data).split("By label")[1].split("</table>")[0]


def test_column_that_no_slice_has_is_not_drawn():
    assert "<th>auc</th>" not in slice_table(slices_with_auc(None, None))
    assert "<th>accuracy</th>" in slice_table(slices_with_auc(None, None))
    assert "0.7500" in render(slices_with_auc(None, None)), "the whole split has one"


def test_slice_without_what_others_have_gets_a_dash():
    table = slice_table(slices_with_auc(0.25, None))
    assert "<th>auc</th>" in table
    assert "<td>0.2500</td>" in table and "<td>–</td>" in table


def test_page_says_what_stopped_early_and_that_nothing_was_learned():
    nothing = "the model learned nothing: it answers 'Cat' to all 5 examples"
    evaluation = replace(WHOLE.evaluation, learned_nothing=nothing)
    history = replace(WHOLE.history, early_stops=("head stopped early after epoch 2 of 4",))
    text = Page(render(replace(WHOLE, evaluation=evaluation, history=history))).text
    assert "The model learned nothing: it answers 'Cat' to all 5 examples." in text
    assert "Head stopped early after epoch 2 of 4." in text
