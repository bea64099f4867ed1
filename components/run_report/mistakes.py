"""Finding the answers that a model was most sure of and most wrong about."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappush, heappushpop
from itertools import count, islice
from pathlib import Path
from typing import Final, NamedTuple

from darkroom.components.example_images import ExampleImage
from darkroom.components.run_report.data import Mistake, Mistakes
from darkroom.components.run_report.pictures import make_thumbnail

BATCH: Final = 64
MOST_IMAGES: Final = 2000
MOST_SECONDS: Final = 60.0
"""A large model on a slow machine must not hold up the report."""
SHOWN: Final = 24


class Answer(NamedTuple):
    """What a model says about one image; `valid` is False for one it could not decode."""

    label: str
    score: float
    valid: bool


Predict = Callable[[Sequence[bytes]], Sequence[Answer]]


def find_mistakes(
    images: Iterable[ExampleImage], predict: Predict, seconds: float = MOST_SECONDS
) -> Mistakes:
    """Ask a model about images and keep the most confident of its wrong answers.

    Args:
        images: Images with their true classes; at most MOST_IMAGES of them are taken.
        predict: Answers for a batch of encoded images.
        seconds: No further batch is begun after this long.
    """
    looked_at = wrong = undecodable = 0
    order = count()
    worst: list[tuple[float, int, ExampleImage, Answer]] = []
    for image, answer in _ask(islice(images, MOST_IMAGES), predict, seconds):
        looked_at += 1
        undecodable += not answer.valid
        if not answer.valid or answer.label == image.label:
            continue
        wrong += 1
        # Of equal scores the earlier image wins, and images themselves are never compared.
        keep = heappushpop if len(worst) == SHOWN else heappush
        keep(worst, (answer.score, -next(order), image, answer))
    shown = tuple(_show(image, answer) for _, _, image, answer in sorted(worst, reverse=True))
    return Mistakes(looked_at, wrong, undecodable, shown)


def load_predictor(model: Path) -> Predict:
    """A function that asks the signature `serving_default` of a SavedModel."""
    import tensorflow as tf  # Not needed to wire the graph, and slow to import.

    loaded = tf.saved_model.load(str(model))

    def predict(encoded: Sequence[bytes]) -> list[Answer]:
        answers = loaded.signatures["serving_default"](image_bytes=tf.constant(list(encoded)))
        labels, scores, valid = (answers[key].numpy() for key in ("label", "score", "valid"))
        return [
            Answer(label.decode(), float(score), bool(ok))
            for label, score, ok in zip(labels, scores, valid, strict=True)
        ]

    return predict


def _ask(
    images: Iterator[ExampleImage], predict: Predict, seconds: float
) -> Iterator[tuple[ExampleImage, Answer]]:
    deadline = time.monotonic() + seconds
    while batch := list(islice(images, BATCH)):
        yield from zip(batch, predict([image.encoded for image in batch]), strict=True)
        if time.monotonic() > deadline:
            return


def _show(image: ExampleImage, answer: Answer) -> Mistake:
    thumbnail = make_thumbnail(image.encoded)
    return Mistake(
        path=image.path,
        label=image.label,
        predicted=answer.label,
        score=answer.score,
        picture=thumbnail.uri if thumbnail else "",
        width=thumbnail.width if thumbnail else 0,
    )
