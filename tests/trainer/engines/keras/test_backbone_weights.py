import hashlib
import json
import string

import keras
import numpy as np
import pytest

from darkroom.tools.pretraining.__main__ import record_path
from darkroom.trainer.backbones import LETTERS_FILE
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.backbone_weights import load_backbone_weights
from darkroom.trainer.engines.keras.model import build_backbone
from darkroom.trainer.errors import WeightsError

SMALL = {"backbone": "mobilenet_v2", "alpha": 0.35}


def test_shipped_weights_load_into_the_plain_keras_model():
    model = keras.applications.MobileNetV2(
        alpha=0.35, include_top=False, input_shape=(64, 64, 3), weights=None
    )
    before = [weight.copy() for weight in model.get_weights()]
    model.load_weights(LETTERS_FILE)
    changed = [np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(changed)


def test_shipped_weights_are_small_and_are_those_of_the_record():
    record = json.loads(record_path(LETTERS_FILE).read_text())
    content = LETTERS_FILE.read_bytes()
    assert len(content) == record["bytes"] <= 2.5e6
    assert hashlib.sha256(content).hexdigest() == record["sha256"]
    assert record["classes"] == string.ascii_lowercase + string.ascii_uppercase
    assert not set(record["fonts"]) & set(record["held_out_fonts"])
    assert record["held_out_font_accuracy_ignoring_case"] > 0.6


def test_saved_weights_come_back_from_a_path(tmp_path):
    path = tmp_path / "mine.weights.h5"
    source = build_backbone("mobilenet_v2", 32, 32, 0.35)
    source.save_weights(path)
    target = build_backbone("mobilenet_v2", 32, 32, 0.35)
    load_backbone_weights(target, TrainerConfig(**SMALL, weights=str(path)))
    for a, b in zip(source.get_weights(), target.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_missing_file_is_one_clear_line(tmp_path):
    path = tmp_path / "no.weights.h5"
    with pytest.raises(WeightsError) as error:
        load_backbone_weights(
            build_backbone("mobilenet_v2", 32, 32, 0.35),
            TrainerConfig(**SMALL, weights=str(path)),
        )
    assert str(path) in str(error.value) and "none" in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "does not fit mobilenet_v2 with alpha 0.35"), (b"not HDF5", "is no HDF5 file")],
)
def test_file_that_does_not_fit_is_one_clear_line(tmp_path, content, words):
    path = tmp_path / "other.weights.h5"
    if content is None:
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    else:
        path.write_bytes(content)
    with pytest.raises(WeightsError) as error:
        load_backbone_weights(
            build_backbone("mobilenet_v2", 32, 32, 0.35),
            TrainerConfig(**SMALL, weights=str(path)),
        )
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_imagenet_without_network_says_what_to_set(tmp_path, monkeypatch):
    # A proxy on a closed port, and an empty cache: the machine has no network for urllib.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    with pytest.raises(WeightsError) as error:
        load_backbone_weights(
            build_backbone("mobilenet_v2", 32, 32, 0.35),
            TrainerConfig(**SMALL, weights="imagenet"),
        )
    for part in ("imagenet", "mobilenet_v2", "downloaded", "without network", "none", "path"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)
