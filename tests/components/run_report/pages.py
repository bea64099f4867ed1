"""Data for a page with every section, and what tests ask of a page."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

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
from darkroom.components.run_report.pictures import make_thumbnail
from darkroom.records.evaluation import ConfusionMatrix, Evaluation, Slice
from darkroom.records.machine import Machine
from darkroom.records.training import EpochRecord, TrainingRecord, WeightsOrigin
from darkroom.tests.images import encode, pixels

MACHINE = Machine("A processor", 2, 8 * 2**30, ("A GPU",), {"TFX": "1.16", "Python": "3.10"})
WEIGHTS = WeightsOrigin("ImageNet-1k, https://somewhere", "MIT")
RECIPE = {
    "name": "digits",
    "data": {"path": "data/digits", "split_salt": "again"},
    "transform": {"image_height": 64, "image_width": 64},
    "trainer": {"backbone": "resnet50", "head": "softmax", "seed": 7},
}
REQUEST = Request(
    "digits",
    RECIPE,
    config="my digits.yaml",
    folder="/home/me",
    text="name: digits  # as I wrote it\n",
    assignments=("trainer.seed=7",),
    commit="0123456789abcdef0123456789abcdef01234567",
    data="f" * 64,
)
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
    return TrainingRecord(tuple(epochs), seconds=41.3, machine=MACHINE, weights=WEIGHTS)


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


def classes_of(names: tuple[str, ...] = DIGITS) -> tuple[ClassCount, ...]:
    """Counts that fall from class to class."""
    return tuple(
        ClassCount(name, {"train": 160 - index, "eval": 40 - index % 9})
        for index, name in enumerate(names)
    )


NODES = (NodeRow("ImageExampleGen", "cached", 0.4), NodeRow("Trainer", "run", 61.2))


WHOLE = finish(
    ReportData(
        request=REQUEST,
        verdict=Verdict("pushed", 1763634821, "models/digits/1763634821"),
        data=Data(
            train=1437,
            eval=360,
            quarantine=QUARANTINE,
            anomalies=(
                Anomaly("eval", "width", "Out-of-range values", "Unexpectedly large value: 64"),
            ),
            classes=classes_of(),
        ),
        evaluation=evaluation_of(),
        history=history_of(),
        mistakes=mistakes_of(),
        nodes=NODES,
        run_id="20261120-103341",
        previous="20261119-080000",
    )
)

BARE = ReportData(request=Request("digits"), verdict=Verdict("unknown"))


def many_classes(count: int = 120) -> ReportData:
    """A page about a data set with many classes, whose names are long and begin alike."""
    names = tuple(f"a species of beetle, subspecies number {index}" for index in range(count))
    data = replace(WHOLE.data, classes=classes_of(names))
    return finish(replace(WHOLE, evaluation=evaluation_of(names), data=data))


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
