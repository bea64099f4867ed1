"""`predict`: images in, labels and scores out, in the order of the images.

A request that fails costs only its own images: they are named on standard error, and the others
are answered. Only a server that answers nothing at all is given up at its first failure.
"""

import argparse
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

from darkroom.serving.client.base import ModelClient
from darkroom.serving.client.concurrency import map_in_order, split
from darkroom.serving.client.errors import ClientError, RequestError, TlsError, UnavailableError
from darkroom.serving.client.image_files import ImageFile, UnreadableError, find_images
from darkroom.serving.client.prediction import Prediction
from darkroom.serving.client.remedies import describe

_HOPELESS: Final = {
    "NOT_FOUND", "HTTP 404", "UNAUTHENTICATED", "HTTP 401", "PERMISSION_DENIED", "HTTP 403",
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one image: one of the two is not None.

    Attributes:
        name: What the user knows the image by.
        prediction: The server's answer.
        error: Why there is none.
    """

    name: str
    prediction: Prediction | None = None
    error: ClientError | UnreadableError | None = None


def predict(client: ModelClient, values: argparse.Namespace, report: Callable[[str], None]) -> int:
    """Prints an answer for each image; returns the exit code.

    Args:
        report: Takes what goes to standard error, a line at a time.

    Raises:
        ValueError: The images contradict each other.
    """
    images = find_images(values.images, report)
    done, failed, has_answer = 0, 0, False
    batches = split(images, values.batch_size)
    answers = map_in_order(partial(_ask, client), batches, values.concurrency)
    with closing(answers):
        for outcome in chain.from_iterable(answers):
            _show(outcome, values, report)
            done += 1
            has_answer = has_answer or outcome.prediction is not None
            failed += outcome.prediction is None or not outcome.prediction.valid
            if not has_answer and _is_hopeless(outcome.error):
                break
    if done < len(images):
        report(f"{len(images) - done} more images: given up, as the server answers nothing")
    elif failed and len(images) > 1:
        report(f"{failed} of {len(images)} images failed")
    return 1 if failed else 0


def _ask(client: ModelClient, batch: list[ImageFile]) -> list[Outcome]:
    """Reads and asks about the images of one request; never raises what one of them causes."""
    outcomes: dict[int, Outcome] = {}
    contents: dict[int, bytes] = {}
    for index, image in enumerate(batch):
        try:
            contents[index] = image.read()
        except UnreadableError as error:
            outcomes[index] = Outcome(image.name, error=error)
    try:
        predictions = client.predict(list(contents.values()))
    except ClientError as error:
        outcomes |= {index: Outcome(batch[index].name, error=error) for index in contents}
    else:
        for index, prediction in zip(contents, predictions, strict=True):
            outcomes[index] = Outcome(batch[index].name, prediction)
    return [outcomes[index] for index in range(len(batch))]


def _is_hopeless(error: Exception | None) -> bool:
    """Says whether other images would meet the same error."""
    if isinstance(error, RequestError):
        return error.code in _HOPELESS
    return isinstance(error, UnavailableError | TlsError)


def _show(outcome: Outcome, values: argparse.Namespace, report: Callable[[str], None]) -> None:
    if outcome.error is not None:
        report(f"{outcome.name}: {describe(outcome.error)}")
    if values.json:
        _print(json.dumps(_to_json(outcome, values.top_k)))
    elif outcome.prediction is not None:
        _print(_to_line(outcome.name, outcome.prediction, values.top_k))


def _print(line: str) -> None:
    # At once, also into a pipe, so that whoever reads it need not wait for the rest.
    print(line, flush=True)


def _to_line(name: str, prediction: Prediction, top_k: int) -> str:
    if not prediction.valid:
        return f"{name}: not an image that the model can decode"
    ranked = ", ".join(f"{label} {score:.4f}" for label, score in prediction.top(top_k))
    return f"{name}: {ranked}"


def _to_json(outcome: Outcome, top_k: int) -> dict[str, Any]:
    prediction = outcome.prediction
    if prediction is None:
        return {"file": outcome.name, "error": str(outcome.error)}
    return {
        "file": outcome.name,
        "label": prediction.label,
        "score": prediction.score,
        "valid": prediction.valid,
        "top": [{"label": label, "score": score} for label, score in prediction.top(top_k)],
    }
