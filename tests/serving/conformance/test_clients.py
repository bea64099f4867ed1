"""The client's own calls, whose results must not depend on protocol or server."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from darkroom.serving.client import RequestError, Target
from darkroom.serving.client.__main__ import main
from darkroom.tests.serving.conformance.write_models import HALF_PLUS_TWO, VERSIONS, ZOO

IMAGES_MODEL = os.environ.get("SERVING_MODEL") or ZOO


def draw(color):
    content = io.BytesIO()
    Image.new("RGB", (32, 32), color).save(content, "PNG")
    return content.getvalue()


IMAGES = [draw("black"), b"broken", draw("white")]


def test_both_protocols_say_the_same_of_images(create):
    rest = create("rest", IMAGES_MODEL).predict(IMAGES)
    grpc = create("grpc", IMAGES_MODEL).predict(IMAGES)
    for one, other in zip(rest, grpc, strict=True):
        assert (one.label, one.valid) == (other.label, other.valid)
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_broken_image_does_not_disturb_its_neighbours(ask):
    first, broken, last = ask(IMAGES_MODEL).predict(IMAGES)
    assert (broken.valid, broken.label, broken.score) == (False, "", 0)
    for prediction in (first, last):
        assert prediction.valid
        assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-4)
        assert prediction.top(1) == [(prediction.label, prediction.score)]


def test_many_images_in_concurrent_batches(ask):
    predictions = ask(IMAGES_MODEL).predict_many(IMAGES * 20, batch_size=7, concurrency=4)
    assert [prediction.valid for prediction in predictions] == [True, False, True] * 20


def test_command_line(addresses, capsys, tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(2)]
    for path, image in zip(paths, IMAGES, strict=False):
        path.write_bytes(image)
    server = ["--grpc", addresses.grpc, "--model", IMAGES_MODEL]
    assert main(["predict", str(tmp_path), *server]) == 1
    good, broken = capsys.readouterr().out.splitlines()
    assert good.startswith(f"{paths[0]}: ")
    assert broken == f"{paths[1]}: not an image that the model can decode"


def test_classify_and_regress(ask):
    client = ask(HALF_PLUS_TWO)
    examples = [{"x": 2.0}, {"x": np.float32(4)}]
    assert client.regress(examples, "regress") == [3.0, 4.0]
    assert client.regress([{}], "regress", context={"x": 6.0}) == [5.0]
    assert client.classify(examples, "classify") == [
        [("high", 3.0), ("low", -3.0)],
        [("high", 4.0), ("low", -4.0)],
    ]


@pytest.mark.parametrize(
    ("target", "value"),
    [
        (Target(VERSIONS), 2),
        (Target(VERSIONS, version=1), 1),
        (Target(VERSIONS, label="stable"), 1),
        (Target(VERSIONS, label="canary"), 2),
    ],
)
def test_versions_and_labels(ask, target, value):
    outputs = ask(target).predict_raw({"x": np.zeros(1, np.float32)})
    assert outputs["value"].tolist() == [value]


def test_status(ask):
    statuses = ask(VERSIONS).get_status()
    assert [(status.version, status.state) for status in statuses] == [
        (2, "AVAILABLE"),
        (1, "AVAILABLE"),
    ]


def test_signatures_are_the_same_over_both_protocols(create):
    signatures = create("rest", ZOO).get_signatures()
    assert signatures == create("grpc", ZOO).get_signatures()
    assert str(signatures["add"].inputs["x"]) == "float [?]"


def test_refusal(ask):
    with pytest.raises(RequestError) as caught:
        ask(Target(ZOO, version=9)).predict(IMAGES)
    assert caught.value.message == f"Servable not found for request: Specific({ZOO}, 9)"
