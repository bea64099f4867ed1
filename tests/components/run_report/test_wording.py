import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.components.run_report import wording
from darkroom.components.run_report.data import Verdict
from darkroom.records.evaluation import Evaluation, Failure, Slice


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (
            Failure("accuracy", "overall", "absolute", "≥ 0.95", 0.8123),
            "accuracy is 0.8123; wanted ≥ 0.95",
        ),
        (
            Failure("accuracy", "overall", "change", "≥ +0.01", -0.02),
            "accuracy changed by −0.0200 against the version pushed before; wanted ≥ +0.01",
        ),
        (
            Failure("auc", "label:a:b", "absolute", "≥ 0.9", None),
            "auc on label a:b could not be measured; wanted ≥ 0.9",
        ),
    ],
)
def test_failures_in_words(failure, sentence):
    assert wording.explain_failure(failure) == sentence


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict("pushed", 7), "pushed as version 7"),
        (Verdict("unchanged", 7), "Version 7, pushed before, is"),
        (
            Verdict("not_blessed", 7),
            "Nothing was pushed. Version 7, pushed before, was left",
        ),
        (
            Verdict("withdrawn", 7),
            "Nothing was pushed. Version 7, pushed before, was left",
        ),
        (Verdict("unknown"), "no Pusher"),
    ],
)
def test_verdicts_in_words(verdict, words):
    assert words in wording.explain_verdict(verdict)


def test_a_refusal_with_nothing_served_names_no_version():
    assert wording.explain_verdict(Verdict("not_blessed")) == "Nothing was pushed."


def test_a_baseline_state_from_the_future_is_shown_as_it_is():
    evaluation = Evaluation(Slice("overall", {}), baseline_state="on_holiday")
    assert "on_holiday" in wording.explain_baseline(evaluation)


@pytest.mark.parametrize(
    ("metric", "difference", "text", "judged"),
    [
        ("accuracy", 0.0084, "+0.84 pp", "better"),
        ("accuracy", -0.0084, "−0.84 pp", "worse"),
        ("loss", -0.02, "−0.0200", "better"),
        ("loss", 0.02, "+0.0200", "worse"),
        ("auc", 0.00001, "±0", "same"),
        ("auc", None, "–", "same"),
        ("auc", math.nan, "–", "same"),
    ],
)
def test_differences(metric, difference, text, judged):
    assert wording.format_difference(metric, difference) == text
    assert wording.judge(metric, difference) == judged


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("unheard", 0.5, "0.5000"),
        ("accuracy", math.inf, "–"),
        ("accuracy", 0.98056, "98.06 %"),
        ("loss", 0.07, "0.0700"),
        ("auc", None, "–"),
    ],
)
def test_metrics(metric, value, text):
    assert wording.format_metric(metric, value) == text


@given(st.text(max_size=60), st.integers(3, 40))
def test_long_names_keep_both_ends(name, most):
    short = wording.shorten(name, most)
    assert len(short) == min(len(name), most)
    assert short == name or (name.startswith(short.split("…")[0]) and "…" in short)


def test_names_that_begin_alike_stay_apart():
    assert wording.shorten("a species of beetle, no. 12", 12) == "a spec…o. 12"


@pytest.mark.parametrize(
    ("seconds", "text"), [(41.3, "41 s"), (59.7, "1 min 0 s"), (185, "3 min 5 s")]
)
def test_seconds(seconds, text):
    assert wording.format_seconds(seconds) == text
