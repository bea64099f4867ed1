from types import SimpleNamespace

import pytest

from darkroom.components.example_images import ExampleImage
from darkroom.components.run_report import mistakes
from darkroom.components.run_report.mistakes import BATCH, MOST_IMAGES, SHOWN, Answer, find_mistakes
from darkroom.tests.images import encode, pixels


def images(*labels: str) -> list[ExampleImage]:
    return [
        ExampleImage(b"%d" % index, label, f"{index}.png") for index, label in enumerate(labels)
    ]


def always(label: str, score: float = 0.9):
    return lambda batch: [Answer(label, score, valid=True) for _ in batch]


def test_right_answers_are_no_mistakes():
    found = find_mistakes(images("a", "a"), always("a"))
    assert (found.looked_at, found.wrong, found.worst) == (2, 0, ())


def test_the_surest_mistakes_come_first_and_ties_in_order_of_the_images():
    scores = {b"0": 0.5, b"1": 0.9, b"2": 0.7, b"3": 0.9}
    found = find_mistakes(
        images("a", "a", "a", "a"),
        lambda batch: [Answer("b", scores[image], valid=True) for image in batch],
    )
    assert [mistake.path for mistake in found.worst] == ["1.png", "3.png", "2.png", "0.png"]
    assert [mistake.score for mistake in found.worst] == [0.9, 0.9, 0.7, 0.5]


def test_only_the_worst_are_kept_but_all_are_counted():
    count = SHOWN + BATCH
    found = find_mistakes(
        images(*["a"] * count),
        lambda batch: [Answer("b", int(image) / count, valid=True) for image in batch],
    )
    assert found.wrong == count
    shown = [f"{index}.png" for index in range(count - 1, count - 1 - SHOWN, -1)]
    assert [mistake.path for mistake in found.worst] == shown


def test_undecodable_images_are_counted_apart():
    found = find_mistakes(images("a"), lambda batch: [Answer("", 0.0, valid=False)])
    assert (found.looked_at, found.wrong, found.undecodable, found.worst) == (1, 0, 1, ())


def test_no_more_images_are_taken_than_the_bound():
    endless = (ExampleImage(b"", "a", str(index)) for index in range(10 * MOST_IMAGES))
    assert find_mistakes(endless, always("a")).looked_at == MOST_IMAGES


def test_no_batch_is_begun_when_the_time_is_up(monkeypatch):
    clock = iter([0.0, 5.0, 11.0])
    # The module's own: threads of other tests read the clock too.
    monkeypatch.setattr(mistakes, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert find_mistakes(images(*["a"] * 500), always("a"), seconds=10.0).looked_at == 2 * BATCH


@pytest.mark.parametrize(("encoded", "has_picture"), [(encode(pixels()), True), (b"junk", False)])
def test_a_mistake_shows_its_picture_if_there_is_one(encoded, has_picture):
    found = find_mistakes([ExampleImage(encoded, "a", "x.png")], always("b"))
    assert found.worst[0].picture.startswith("data:image/png") is has_picture
