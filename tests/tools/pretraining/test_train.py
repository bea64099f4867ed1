import json

import keras
import numpy as np
import pytest

from darkroom.tests.tools.pretraining.default_font import write_fonts
from darkroom.tools.pretraining.__main__ import main, record_path
from darkroom.tools.pretraining.fonts import find_fonts
from darkroom.tools.pretraining.letters import IMAGE_SIZE, LETTERS
from darkroom.tools.pretraining.train import held_out_accuracy, render_letters


@pytest.fixture
def fonts_folder(tmp_path):
    for family in ("one", "two", "three"):
        write_fonts(tmp_path / family, f"{family}.ttf")
    return tmp_path


def test_letters_follow_the_seed(fonts_folder):
    fonts = find_fonts([fonts_folder])
    images, labels = render_letters(fonts, 30, seed=1)
    assert images.shape == (30, IMAGE_SIZE, IMAGE_SIZE, 1)
    assert set(labels) <= set(range(len(LETTERS)))
    again, same_labels = render_letters(fonts, 30, seed=1)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, same_labels)
    assert np.any(render_letters(fonts, 30, seed=2)[0] != images)


def test_case_can_be_left_out_of_the_accuracy():
    class Naming:
        """Names 0, 0, 26 and 3, whatever it sees."""

        def predict(self, images: np.ndarray, verbose: int) -> np.ndarray:
            return np.eye(len(LETTERS))[[0, 0, 26, 3]]

    labels = np.array([0, 26, 0, 4])
    assert held_out_accuracy(Naming(), np.zeros((4, 1)), labels) == (0.25, 0.75)


@pytest.mark.e2e
def test_command_writes_weights_and_record(fonts_folder, capsys):
    output = fonts_folder / "out" / "tiny.weights.h5"
    arguments = ["--fonts", str(fonts_folder), "--output", str(output), "--seed", "3"]
    assert main([*arguments, "--images", "64", "--held-out-images", "16", "--epochs", "1"]) == 0
    record = json.loads(record_path(output).read_text())
    assert (record["seed"], record["images"], record["epochs"]) == (3, 64, 1)
    assert record["classes"] == LETTERS
    assert str(output) in capsys.readouterr().out
    model = keras.applications.MobileNetV2(
        alpha=0.35, include_top=False, input_shape=(64, 64, 3), weights=None
    )
    model.load_weights(output)


def test_command_refuses_a_wrong_output_and_missing_fonts(tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main(["--fonts", str(tmp_path), "--output", "weights.keras"])
    assert error.value.code == 2
    assert main(["--fonts", str(tmp_path / "nothing")]) == 1
    assert "nothing is not a folder" in capsys.readouterr().err
