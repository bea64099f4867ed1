"""Data for a page with every section, and what tests ask of a page."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from darkroom.components.run_report.data import (
    Anomaly,
    Data,
    Mistake,
    Mistakes,
    Quarantine,
    RejectedRow,
    ReportData,
    Verdict,
)
from darkroom.components.run_report.pictures import make_thumbnail
from darkroom.records.evaluation import ConfusionMatrix, Evaluation, Slice
from darkroom.records.training import EpochRecord, TrainingRecord
from darkroom.tests.images import encode, pixels

DIGITS = tuple(str(digit) for digit in range(10))


def confusion_of(classes: tuple[str, ...], each: int = 36, seed: int = 0) -> ConfusionMatrix:
    """A matrix with `each` examples a class, most of them right."""
    random = np.random.default_rng(seed)
    counts = np.zeros((len(classes), len(classes)), int)
    for true, predicted in random.integers(0, len(classes), (len(classes) * 2, 2)):
        counts[true, predicted] += 1
    np.fill_diagonal(counts, 0)
    np.fill_diagonal(counts, each - counts.sum(axis=1))
    return ConfusionMatrix(classes, tuple(tuple(map(int, row)) for row in counts))


def evaluation_of(classes: tuple[str, ...] = DIGITS) -> Evaluation:
    """A comparison with a slightly worse served model."""
    return Evaluation(
        overall=_slice("overall", 360, 0.9806),
        slices=tuple(
            _slice(f"label:{name}", 36, 0.95 + 0.005 * (index % 10))
            for index, name in enumerate(classes)
        ),
        confusion=confusion_of(classes),
        baseline_state="compared",
        blessed=True,
    )


def _slice(name: str, count: int, accuracy: float) -> Slice:
    candidate = {"accuracy": accuracy, "loss": 0.0712, "auc": 0.9993, "example_count": count}
    baseline = {"accuracy": 0.9722, "loss": 0.0701, "auc": 0.9993, "example_count": count}
    return Slice(name, candidate, baseline)


def history_of(head: int = 4, fine_tuning: int = 10) -> TrainingRecord:
    """Two phases of smooth learning."""
    epochs = [
        EpochRecord(
            phase="head" if number < head else "fine_tune",
            epoch=number + 1,
            seconds=3.0,
            loss=2.2 * 0.75**number + 0.05,
            val_loss=2.0 * 0.72**number + 0.07,
            accuracy=1 - 0.8 * 0.72**number,
            val_accuracy=0.985 - 0.7 * 0.68**number,
        )
        for number in range(head + fine_tuning)
    ]
    return TrainingRecord(tuple(epochs), seconds=41.3)


def mistakes_of(number: int = 7) -> Mistakes:
    """Wrong answers with pictures."""
    worst = []
    for index in range(number):
        thumbnail = make_thumbnail(encode(pixels(32, 32, seed=index)))
        assert thumbnail
        worst.append(
            Mistake(
                path=f"images/digit_{index:04d}.png",
                label=str(index % 10),
                predicted=str((index + 5) % 10),
                score=0.99 - 0.03 * index,
                picture=thumbnail.uri,
                width=thumbnail.width,
            )
        )
    return Mistakes(looked_at=360, wrong=number, undecodable=1, worst=tuple(worst))


QUARANTINE = Quarantine(
    rows=1803,
    quarantined=6,
    reasons=(("not_an_image", 3), ("missing_file", 2), ("empty_label", 1)),
    first=(
        RejectedRow(12, "images/0012.png", "3", "not_an_image", "cannot identify image file"),
        RejectedRow(40, "images/0040.png", "7", "missing_file", ""),
        RejectedRow(41, "images/0041.png", "", "empty_label", ""),
    ),
    notes=(("duplicates", 2),),
)

WHOLE = ReportData(
    pipeline="digits",
    verdict=Verdict("pushed", 1763634821, "models/digits/1763634821"),
    facts=(("Run", "2026-11-20T10-33-41"), ("Training", "14 epochs in 41 s")),
    data=Data(
        train=1437,
        eval=360,
        quarantine=QUARANTINE,
        anomalies=(
            Anomaly("eval", "width", "Out-of-range values", "Unexpectedly large value: 64"),
        ),
    ),
    evaluation=evaluation_of(),
    history=history_of(),
    mistakes=mistakes_of(),
    recipe="pipeline: digits\ntrainer:\n  seed: 7\n",
)

BARE = ReportData(pipeline="digits", verdict=Verdict("unknown"))


def many_classes(count: int = 120) -> ReportData:
    """A page about a data set with many classes."""
    classes = tuple(f"species number {index}" for index in range(count))
    return replace(WHOLE, evaluation=evaluation_of(classes))


class Page(HTMLParser):
    """What a browser would make of a page: its elements, text, and addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "poster", "data"):
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text = f"{self.text} {data}"
